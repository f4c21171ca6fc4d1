//! Views of hostile values: what they show is text, and what they are is well-formed.

use super::compare::{self, CompareQuery, ComparedEngine};
use super::engine_view::{EngineQuery, EngineView};
use super::layout::{Frame, Tab, Visitor, page};
use learn::predict::{Models, Prediction};
use maud::Markup;
use shared::engine::{Diagnostic, Engine, parse};
use simulate::architectures::{Options, engine_info};
use std::path::Path;

const HOSTILE: &str = "<script>alert(1)</script>\" onmouseover=\"alert(2)' style='x\u{1b}[2J&amp;";

fn models() -> Models {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../trained_models");
    Models::open(&root, "jetson-orin-nano").expect("the models that come with the program")
}

fn engine(name: &str) -> Engine {
    parse(engine_info(name, Options::default()).expect("known").as_bytes()).expect("our own").0
}

fn hostile() -> Engine {
    let mut engine = engine("resnet18");
    for layer in &mut engine.layers {
        layer.name = format!("{HOSTILE}{}", layer.index);
        layer.layer_type = HOSTILE.to_owned();
    }
    engine
}

/// Every element closed in order, no attribute that runs or styles, no element from a name.
fn assert_sound(markup: &str) {
    const VOID: [&str; 6] = ["meta", "link", "input", "br", "hr", "img"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = markup;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let end = rest.find('>').expect("a tag ends");
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if tag.starts_with('!') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed out of order");
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let name = tag.split(|c: char| c.is_whitespace()).next().expect("a name");
        // Outside of values, which maud quotes.
        let outside: String = tag.split('"').step_by(2).collect();
        for attribute in outside.split_whitespace().skip(1) {
            assert!(!attribute.starts_with("on") && !attribute.starts_with("style"), "{tag}");
        }
        assert!(name != "script" || tag.starts_with("script src=\"/static/"), "{tag}");
        if !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    assert!(!markup.contains('\u{1b}'), "a control character is shown");
}

fn framed(main: &Markup) -> String {
    let frame = Frame {
        deployed: vec![(HOSTILE.to_owned(), "0123456789abcdef".to_owned())],
        visitor: Visitor::Known(HOSTILE.to_owned()),
    };
    page(&frame, Tab::Predict, HOSTILE, main).into_string()
}

fn shown(engine: &Engine, prediction: &Prediction, query: &EngineQuery) -> String {
    let diagnostics: Vec<Diagnostic> = (0..9)
        .map(|i| Diagnostic {
            layer: Some((i, HOSTILE.to_owned())),
            field: Some(HOSTILE.to_owned()),
            message: HOSTILE.to_owned(),
        })
        .collect();
    let devices =
        [(prediction.device.clone(), Ok(prediction.totals.clone())), (HOSTILE.to_owned(), Err(HOSTILE.to_owned()))];
    let view = EngineView {
        id: "0123",
        name: HOSTILE,
        engine,
        diagnostics: &diagnostics,
        prediction,
        roofline: None,
        devices: &devices,
        query,
    };
    framed(&view.render())
}

#[test]
fn names_stay_text_and_markup_stays_sound() {
    let (models, engine) = (models(), hostile());
    let prediction = models.predict(&engine, &[], 0).expect("predicted");
    let query = EngineQuery { q: "script".to_owned(), ..EngineQuery::default() };
    let markup = shown(&engine, &prediction, &query);
    assert_sound(&markup);
    assert!(markup.contains("&lt;script&gt;alert(1)"));
    let plain = engine_of_other(&models);
    let side = |engine, prediction| ComparedEngine { id: "0123", name: HOSTILE, engine, prediction };
    let compared = compare::render(&side(&engine, &prediction), &side(&plain.0, &plain.1), &CompareQuery::default());
    assert_sound(&framed(&compared));
}

#[test]
fn a_comparison_matches_operators_across_fusions_and_says_why() {
    let models = models();
    let plain = engine("resnet18");
    // The activation of one convolution as a layer of its own.
    let mut split = plain.clone();
    let at = split.layers.iter().position(|layer| layer.fused.len() > 1).expect("a fused layer");
    let relu = split.layers[at].fused.pop().expect("fused");
    let alone = shared::engine::Layer {
        name: relu.clone(),
        kind: shared::engine::LayerKind::Pointwise,
        layer_type: "PointWiseV2".to_owned(),
        fused: vec![relu],
        kernel: None,
        weights: None,
        ..split.layers[at].clone()
    };
    split.layers[at].name = split.layers[at].fused.join(" + ");
    split.layers.insert(at + 1, alone);
    for (index, layer) in split.layers.iter_mut().enumerate() {
        layer.index = index;
    }
    let predicted = |engine: &Engine| models.predict(engine, &[], 0).expect("predicted");
    let (first, second) = (predicted(&plain), predicted(&split));
    let side = |name, engine, prediction| ComparedEngine { id: "0123", name, engine, prediction };
    let markup = compare::render(
        &side("plain", &plain, &first),
        &side("split", &split, &second),
        &CompareQuery { sort: Some(compare::CompareOrder::Index), ..CompareQuery::default() },
    )
    .into_string();
    assert_sound(&markup);
    // Both layers stand in the row of the convolution that held the activation: none is alone.
    assert!(markup.contains("0 only in the first, 0 only in the second"), "{markup}");
    assert!(!markup.contains("class=\"badge\""), "{markup}");
    assert!(markup.contains("What differs"), "{markup}");
}

fn engine_of_other(models: &Models) -> (Engine, Prediction) {
    let engine = engine("mobilenet_v2");
    let prediction = models.predict(&engine, &[], 0).expect("predicted");
    (engine, prediction)
}

#[test]
fn ten_thousand_layers_come_in_pages() {
    let (models, mut large) = (models(), engine("resnet18"));
    let layers = large.layers.clone();
    large.layers =
        (0..10_000).map(|index| shared::engine::Layer { index, ..layers[index % layers.len()].clone() }).collect();
    let prediction = models.predict(&large, &[], 0).expect("predicted");
    let markup = shown(&large, &prediction, &EngineQuery { page: 3, ..EngineQuery::default() });
    assert_eq!(markup.matches("<tr id=\"layer-").count(), super::layer_rows::PAGE_ROWS);
    assert!(markup.contains("Rows 1001 to 1500 of 10000"), "the page says which rows it shows");
    assert!(!markup.contains("data-sortable"), "the script must not sort a part");
    assert!(markup.contains("Each column sums 25 layers"));
    assert!(markup.len() < 2 << 20, "{} bytes", markup.len());
}
