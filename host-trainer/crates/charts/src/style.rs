//! The style sheet that all charts share.

/// The style sheet of all charts. A server sends it as a file; a page that stands alone puts it into `<style>` once.
///
/// Charts take their colours from custom properties (`--chart-ink`, `--chart-faint`, `--chart-0` …). A page may set them to
/// match its own.
pub const STYLE: &str = include_str!("style.css");
