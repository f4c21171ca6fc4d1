//! The server's log: lines on stderr, for people or as JSON. It never holds a token, a body or a query.

use shared::failure::Failure;
use shared::run_folder::stamp::format_rfc3339;
use std::fmt;
use std::io::IsTerminal;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::SubscriberBuilder;
use tracing_subscriber::fmt::format::{DefaultFields, Format, Json, JsonFields, Writer};
use tracing_subscriber::fmt::time::FormatTime;

/// Starts the log of this process. A second call has no effect.
///
/// With `json`, each line is an object with `timestamp` (UTC, RFC 3339), `level`, `target`, `message` and the fields of the
/// event.
///
/// # Errors
/// A malformed filter.
///
/// ```
/// serve::log::start("info,serve=debug", false)?;
/// assert!(serve::log::start("info=nonsense", false).is_err());
/// # Ok::<(), shared::failure::Failure>(())
/// ```
pub fn start(filter: &str, json: bool) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter).map_err(|e| {
        Failure::usage(format!("`{filter}` is no log filter: {e}")).help("give error, warn, info, debug or trace")
    })?;
    let builder = tracing_subscriber::fmt();
    // A process that already logs, as a test may, keeps its log.
    let _ = if json {
        json_lines(builder).with_env_filter(filter).with_writer(std::io::stderr).try_init()
    } else {
        let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let builder = builder.with_timer(Utc).with_target(false).with_ansi(colours);
        builder.with_env_filter(filter).with_writer(std::io::stderr).try_init()
    };
    Ok(())
}

/// Events as JSON, one object per line, with the fields of an event at the top level.
fn json_lines(builder: SubscriberBuilder<DefaultFields, Format>) -> SubscriberBuilder<JsonFields, Format<Json, Utc>> {
    builder.json().flatten_event(true).with_current_span(false).with_span_list(false).with_timer(Utc)
}

/// Timestamps in UTC, in the same form as everywhere else in the project.
struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        out.write_str(&format_rfc3339(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex, PoisonError};
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Memory {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn a_json_line_holds_every_field_and_is_one_line() {
        let memory = Memory::default();
        let log = json_lines(tracing_subscriber::fmt()).with_writer(memory.clone()).finish();
        tracing::subscriber::with_default(log, || tracing::warn!(status = 401, code = "a\nb\u{1b}", "refused"));
        let lines = memory.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = String::from_utf8(lines).expect("UTF-8");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains('\u{1b}'), "control characters are escaped: {text}");
        let line: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            (&line["level"], &line["message"], &line["status"]),
            (&"WARN".into(), &"refused".into(), &401.into())
        );
        assert_eq!(line["code"], "a\nb\u{1b}");
        assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
    }
}
