//! The checker itself, on small source trees.

use crate::graph::Graph;
use crate::source::Crate;
use std::fs;

/// The graph of a crate with these files below `src`.
fn graph(files: &[(&str, &str)]) -> Graph {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join("src").join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let parsed = Crate::read(folder.path(), &folder.path().join("src/lib.rs")).expect("parses");
    Graph::of(&parsed)
}

/// The arrows as `from → to: line item`.
fn arrows(files: &[(&str, &str)]) -> Vec<String> {
    let graph = graph(files);
    let name = |file: usize| graph.files[file].trim_start_matches("src/").to_owned();
    graph
        .arrows
        .iter()
        .map(|((from, to), arrow)| format!("{} → {}: {} {}", name(*from), name(*to), arrow.line, arrow.item))
        .collect()
}

#[test]
fn a_circle_is_named_arrow_by_arrow() {
    let graph = graph(&[
        ("lib.rs", "mod scan;\nmod stat;\nmod status;\n"),
        ("scan.rs", "use super::stat::Cache;\npub struct Stamp;\npub fn scan(_: &Cache) {}\n"),
        ("stat.rs", "pub struct Cache;\nfn of() -> crate::scan::Stamp { todo!() }\nfn two(_: crate::scan::Stamp) {}\n"),
        ("status.rs", "use crate::scan;\nfn status() { scan::scan(todo!()) }\n"),
    ]);
    let circles = graph.circles();
    assert_eq!(circles.len(), 1, "{circles:?}");
    assert_eq!(
        circles[0].to_string(),
        "a circle of 2 files; a shortest way round:\n  \
           src/scan.rs:1 uses `super::stat::Cache` of src/stat.rs (2 lines in all)\n  \
           src/stat.rs:2 uses `crate::scan::Stamp` of src/scan.rs and closes the circle (2 lines in all)\n"
    );
}

#[test]
fn groups_renames_and_re_exports_lead_to_the_file_that_defines_the_item() {
    let found = arrows(&[
        ("lib.rs", "pub mod a;\nmod user;\n"),
        ("a/mod.rs", "mod b;\nmod c;\npub use self::{b::{B, other}, c::C as Renamed};\npub const HERE: u8 = 0;\n"),
        ("a/b.rs", "pub struct B;\npub fn other() {}\n"),
        ("a/c.rs", "pub struct C;\n"),
        ("user.rs", "use crate::a::{self, Renamed};\nfn f() -> a::B { a::HERE; todo!() }\nfn g(_: Renamed) {}\n"),
    ]);
    assert_eq!(
        found,
        [
            "a/mod.rs → a/b.rs: 3 self::b::B",
            "a/mod.rs → a/c.rs: 3 self::c::C",
            "user.rs → a/mod.rs: 2 a::HERE",
            "user.rs → a/b.rs: 2 a::B",
            "user.rs → a/c.rs: 1 crate::a::Renamed",
        ]
    );
}

#[test]
fn a_child_that_uses_an_item_of_its_mod_rs_closes_a_circle_with_the_re_export() {
    let graph = graph(&[
        ("lib.rs", "mod child;\npub use child::Child;\npub const LIMIT: usize = 3;\n"),
        ("child.rs", "pub struct Child([u8; super::LIMIT]);\n"),
    ]);
    assert_eq!(graph.circles().len(), 1);
    assert_eq!(graph.circles()[0].files, ["src/child.rs", "src/lib.rs"]);
}

#[test]
fn code_for_tests_draws_no_arrow() {
    let found = arrows(&[
        ("lib.rs", "mod a;\nmod b;\n#[cfg(test)]\nmod tests { use crate::a::A; }\n"),
        (
            "a.rs",
            "pub struct A;\n#[cfg(test)]\nmod tests { use crate::b::B; }\n#[cfg(all(test, unix))]\nuse crate::b::B;\n",
        ),
        (
            "b.rs",
            "pub struct B;\nimpl B {\n#[cfg(test)]\nfn f(_: crate::a::A) {} }\n#[cfg(not(test))]\nuse crate::a::A;\n",
        ),
    ]);
    assert_eq!(found, ["b.rs → a.rs: 6 crate::a::A"]);
}

#[test]
fn methods_of_a_type_lead_to_the_file_of_their_impl_block() {
    let found = arrows(&[
        ("lib.rs", "mod copy;\nmod push;\n"),
        ("copy.rs", "pub struct Copy;\nimpl Copy { pub fn open() -> Self { let c = Self::sent(); c } }\n"),
        (
            "push.rs",
            "use super::copy::Copy;\nimpl Copy {\n    pub fn sent() -> Self { todo!() }\n    fn again(&self) { self.twice(); }\n}\n",
        ),
    ]);
    assert_eq!(found, ["copy.rs → push.rs: 2 Copy::sent", "push.rs → copy.rs: 1 super::copy::Copy"]);
    let found = arrows(&[
        ("lib.rs", "mod copy;\nmod push;\n"),
        ("copy.rs", "pub struct Copy;\nimpl Copy { fn all(&self) { println!(\"{}\", self.sent()); } }\n"),
        ("push.rs", "impl super::copy::Copy {\n    pub fn sent(&self) -> u8 { 0 }\n}\n"),
    ]);
    assert_eq!(found, ["copy.rs → push.rs: 2 self.sent()", "push.rs → copy.rs: 1 super::copy::Copy"]);
}

#[test]
fn macros_and_attributes_are_searched_for_paths() {
    let found = arrows(&[
        ("lib.rs", "#[macro_use]\nmod shout;\nmod a;\nmod b;\nmod c;\n"),
        ("shout.rs", "macro_rules! shout { () => {} }\n"),
        ("a.rs", "pub fn a() {}\npub struct A;\n"),
        ("b.rs", "use crate::a;\nfn b() { println!(\"{} {}\", [a::a()], 1); }\n"),
        (
            "c.rs",
            "#[derive(Debug)]\nstruct C {\n    #[serde(default = \"crate::a::a\")]\n    c: u8,\n}\nfn c() { shout!(); vec![crate::b::none]; }\n",
        ),
    ]);
    assert_eq!(
        found,
        ["b.rs → a.rs: 2 a::a", "c.rs → shout.rs: 6 shout!", "c.rs → a.rs: 3 crate::a::a"].map(str::to_owned)
    );
}

#[test]
fn uses_inside_functions_and_globs_are_followed() {
    let found = arrows(&[
        ("lib.rs", "mod a;\nmod b;\nmod kinds;\n"),
        ("a.rs", "pub mod deep { pub fn f() {} }\npub fn g() {}\n"),
        ("b.rs", "use crate::a::*;\nfn b() { use crate::kinds; kinds::name(); g(); }\n"),
        ("kinds.rs", "pub fn name() {}\n"),
    ]);
    assert_eq!(found, ["b.rs → a.rs: 1 crate::a::*", "b.rs → kinds.rs: 2 kinds::name"]);
}

#[test]
fn a_longer_circle_is_shown_by_its_shortest_way_and_all_its_files() {
    let graph = graph(&[
        ("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;\n"),
        ("a.rs", "pub struct A;\nuse crate::b::B;\n"),
        ("b.rs", "pub struct B;\nuse crate::c::C;\n"),
        ("c.rs", "pub struct C;\nuse crate::a::A;\nuse crate::d::D;\n"),
        ("d.rs", "pub struct D;\nuse crate::c::C;\n"),
    ]);
    let circles = graph.circles();
    assert_eq!(circles.len(), 1);
    assert_eq!(circles[0].way.len(), 2, "{}", circles[0]);
    assert!(
        circles[0].to_string().ends_with("all its files: src/a.rs, src/b.rs, src/c.rs, src/d.rs\n"),
        "{}",
        circles[0]
    );
}

#[test]
fn a_module_without_a_file_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("lib.rs"), "mod gone;\n").expect("a file");
    let error = Crate::read(folder.path(), &folder.path().join("lib.rs")).err().expect("it is gone");
    assert!(error.contains("module `gone` has no file"), "{error}");
}
