//! What reports look like to the tools that read them.
#![allow(missing_docs, clippy::unwrap_used)]

use budget::{Baseline, Budgets, Report, Undecided, annotations, junit, markdown};
use compare::{Side, SideLayer};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use shared::units::Millis;
use std::collections::BTreeMap;

fn side(name: &str, layers: &[(&str, f64)]) -> Side {
    let layer = |(index, (name, ms)): (usize, &(&str, f64))| SideLayer {
        runtime: Some(Millis(*ms)),
        ..SideLayer::named(index, name)
    };
    Side::measured(name, layers.iter().enumerate().map(layer).collect())
}

/// A report with limits that pass, fail, warn and are undecided, over names that no format may take literally.
fn report() -> Report {
    let budgets = "[network.\"*\"]\nruntime_ms = 1\nenergy_mj = 5\n[network.good]\nruntime_ms = 100\n\
                   [network.slow]\nruntime_ms = { max = 1, level = \"warn\" }\n";
    let budgets = Budgets::parse(budgets, "budgets, of: a.toml".as_ref()).unwrap();
    let sides = [
        side("good.json", &[("conv", 1.0)]),
        side("slow.json", &[("conv", 3.0)]),
        side("a<b>&\"'\n::error::.json", &[("100 % <conv>\n::error file=x::y", 2.0)]),
    ];
    Report::of(&budgets, &sides, &Baseline::default(), Undecided::Warn)
}

#[derive(Debug)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    children: Vec<Element>,
}

fn element(start: &BytesStart<'_>) -> Element {
    let attributes = start.attributes().map(|attribute| {
        let attribute = attribute.unwrap();
        let key = String::from_utf8(attribute.key.as_ref().to_vec()).unwrap();
        (key, String::from_utf8(attribute.value.to_vec()).unwrap())
    });
    Element {
        name: String::from_utf8(start.name().as_ref().to_vec()).unwrap(),
        attributes: attributes.collect(),
        children: Vec::new(),
    }
}

/// The root of a document; fails on XML that is not well-formed.
fn parse(text: &str) -> Element {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut open: Vec<Element> = Vec::new();
    loop {
        let closed = match reader.read_event().unwrap() {
            Event::Start(start) => {
                open.push(element(&start));
                continue;
            }
            Event::Empty(start) => element(&start),
            Event::End(_) => open.pop().unwrap(),
            Event::Eof => panic!("it ends within an element"),
            _ => continue,
        };
        match open.last_mut() {
            Some(parent) => parent.children.push(closed),
            None => return closed,
        }
    }
}

/// What the two schemas in use ask for: the one of Apache Ant's reports (attributes of a suite, order of its children, a
/// failure with a type) and the one of Jenkins (known attributes only).
#[test]
fn junit_is_what_its_schemas_ask_for() {
    let report = report();
    let root = parse(&junit(&report, "2026-11-30T01:02:03"));
    assert_eq!((root.name.as_str(), root.attributes.len()), ("testsuites", 0));
    assert_eq!(root.children.len(), 3);
    let mut tests = 0;
    for (number, suite) in root.children.iter().enumerate() {
        assert_eq!(suite.name, "testsuite");
        let attributes: Vec<&str> = suite.attributes.keys().map(String::as_str).collect();
        assert_eq!(
            attributes,
            ["errors", "failures", "hostname", "id", "name", "package", "skipped", "tests", "time", "timestamp"]
        );
        assert_eq!(suite.attributes["id"], number.to_string());
        assert_eq!(suite.attributes["timestamp"], "2026-11-30T01:02:03");
        let order: Vec<&str> = suite.children.iter().map(|child| child.name.as_str()).collect();
        assert_eq!((order[0], &order[order.len() - 2..]), ("properties", &["system-out", "system-err"][..]));
        let cases = &suite.children[1..suite.children.len() - 2];
        let (mut failures, mut skipped) = (0, 0);
        for case in cases {
            assert_eq!(case.name, "testcase");
            assert_eq!(case.attributes.keys().collect::<Vec<_>>(), ["classname", "name", "time"]);
            assert!(case.children.len() <= 1);
            for outcome in &case.children {
                match outcome.name.as_str() {
                    "failure" => {
                        failures += 1;
                        assert_eq!(outcome.attributes["type"], "fail");
                    }
                    "skipped" => skipped += 1,
                    other => panic!("{other}"),
                }
                assert!(outcome.attributes.contains_key("message"));
            }
        }
        assert_eq!(suite.attributes["tests"], cases.len().to_string());
        assert_eq!(suite.attributes["failures"], failures.to_string());
        assert_eq!(suite.attributes["skipped"], skipped.to_string());
        tests += cases.len();
    }
    assert_eq!(tests, report.checks.len());
}

#[test]
fn annotations_are_one_line_each_and_name_the_limit() {
    let report = report();
    let text = annotations(&report);
    let commands: Vec<&str> = text.lines().filter(|line| line.starts_with("::")).collect();
    assert_eq!(commands.len(), report.worst().len(), "{text}");
    assert!(commands[0].starts_with("::error file=budgets%2C of%3A a.toml,line=2,title="), "{text}");
    assert!(commands[0].contains("100 %25 <conv>%0A::error file=x::y (2.000 ms)"), "{text}");
    assert_eq!(commands.iter().filter(|line| line.starts_with("::error ")).count(), 1);
}

#[test]
fn ten_annotations_are_shown_and_the_rest_counted() {
    let budgets = Budgets::parse("[network.\"*\"]\nruntime_ms = 1\n", "b.toml".as_ref()).unwrap();
    let sides: Vec<Side> = (0..25).map(|i| side(&format!("net{i}.json"), &[("conv", 2.0 + f64::from(i))])).collect();
    let report = Report::of(&budgets, &sides, &Baseline::default(), Undecided::Warn);
    let text = annotations(&report);
    assert_eq!(text.lines().filter(|line| line.starts_with("::error ")).count(), 10);
    assert!(text.lines().next().unwrap().contains("net24"), "the worst first: {text}");
    assert!(text.contains("\n15 more; the summary lists all\n"), "{text}");
    assert!(markdown(&report).contains("- 15 more"));
    assert_eq!(annotations(&report), text, "the order is stable");
}

#[test]
fn markdown_keeps_each_check_on_its_row() {
    let report = report();
    let text = markdown(&report);
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ") && !line.contains("network")).collect();
    assert_eq!(rows.len(), report.checks.len(), "{text}");
    for row in rows {
        assert_eq!(row.replace("\\|", "").matches('|').count(), 6, "{row}");
    }
}

#[test]
fn undecided_counts_as_asked() {
    let budgets = Budgets::parse("[network.\"*\"]\nenergy_mj = 5\n", "b.toml".as_ref()).unwrap();
    let sides = [side("a.json", &[("conv", 1.0)])];
    let passed = |undecided| Report::of(&budgets, &sides, &Baseline::default(), undecided).passed;
    assert_eq!([Undecided::Fail, Undecided::Warn, Undecided::Pass].map(passed), [false, true, true]);
}
