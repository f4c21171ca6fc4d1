//! A page of sections.

use maud::{Markup, html};

const STYLE: &str = "\
    .grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(23rem,100%),1fr));gap:1.6rem 2rem;margin:1rem 0}\
    td,thead th{white-space:nowrap}tbody th{min-width:9rem}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
    .lead{font-size:1.05rem}\
    .told{border-left:.3rem solid var(--chart-1);padding:.1rem 0 .1rem .9rem;margin:.8rem 0;max-width:48rem}\
    .told p{margin:.35rem 0}\
    nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;padding:0;margin:.8rem 0;max-width:none}\
    details{margin:.6rem 0}\
    @media print{nav{display:none}.grid{grid-template-columns:1fr 1fr}}";

/// A page: its title, a sentence below it, and sections, each with identifier, name and content.
pub(super) fn render(title: &str, lead: &str, sections: &[(String, String, Markup)]) -> String {
    let printable = shared::failure::printable;
    let content = html! {
        header {
            h1 { (printable(title)) }
            p class="lead" { (lead) }
            nav aria-label="Sections" { ul { @for (id, name, _) in sections { li { a href=(format!("#{id}")) { (printable(name)) } } } } }
        }
        @for (id, name, body) in sections {
            section aria-labelledby=(id) { h2 id=(id) { (printable(name)) } (body) }
        }
    };
    charts::page::render(title, STYLE, &content)
}
