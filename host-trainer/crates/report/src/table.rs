//! Tables of figures.

use maud::{Markup, html};

/// A table; columns hold numbers from `numbers_from` on. Narrow pages scroll it.
pub(super) fn table(caption: &str, header: &[&str], numbers_from: usize, rows: &[Vec<String>]) -> Markup {
    let class = |column: usize| (column >= numbers_from).then_some("n");
    html! {
        div class="scroll" tabindex="0" role="region" aria-label=(format!("{caption} (scrolls)")) {
            table {
                caption { (caption) }
                thead { tr { @for (i, name) in header.iter().enumerate() { th scope="col" class=[class(i)] { (name) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (i, cell) in row.iter().enumerate() {
                                @if i == 0 { th scope="row" { (shared::failure::printable(cell)) } }
                                @else { td class=[class(i)] { (shared::failure::printable(cell)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
