//! Views of hostile values: what they show is text, and what they are is well-formed; and what they say of what is not known.

use super::compare::{self, CompareQuery, ComparedEngine};
use super::engine_view::{EngineQuery, EngineView};
use super::layout::{Frame, Tab, Visitor, page};
use super::modes_form::Pickers;
use super::modes_query::ModesQuery;
use super::modes_view::{ExploredModes, ModesView};
use learn::predict::{EngineInput, Models, Prediction};
use learn::what_if::{
    Anchors, BoardChoice, Choice, SettingOptions, board_choices, caveats, explore, public_modes, settings,
};
use maud::Markup;
use shared::engine::{Diagnostic, Engine, parse};
use shared::failure::Failure;
use simulate::architectures::{Options, engine_info};
use std::path::Path;
use std::sync::Arc;

const HOSTILE: &str = "<script>alert(1)</script>\" onmouseover=\"alert(2)' style='x\u{1b}[2J&amp;";

fn models() -> Models {
    models_of("jetson-orin-nano")
}

fn models_of(device: &str) -> Models {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../trained_models");
    Models::open(&root, device).expect("the models that come with the program")
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

/// ResNet-18 in all modes of a device that was measured at 15 W.
fn in_modes(device: &str) -> (Anchors, ExploredModes) {
    let anchors = Anchors::among([Arc::new(models_of(device))], device, Some("15W")).expect("clocks of a public mode");
    let engine = engine("resnet18");
    let input = EngineInput { engine: &engine, diagnostics: &[], profile: 0 };
    let options = SettingOptions { modes: vec!["all".to_owned()], batches: vec![1, 4], ..SettingOptions::default() };
    let all = settings(&anchors, &options).expect("settings");
    let outlooks = explore(&anchors, &input, &all).expect("predicted");
    let choice = Choice::among(&outlooks, None, None);
    let (caveats, shown) = (caveats(&anchors, &outlooks), choice.chosen);
    (anchors, ExploredModes { outlooks, choice, caveats, shown, shown_device: None })
}

fn board(name: &str, device: &str) -> [BoardChoice; 1] {
    [BoardChoice { name: name.to_owned(), devices: vec![device.to_owned()], has_clocks: true }]
}

#[test]
fn a_mode_shows_its_clocks_and_what_is_not_known_is_said() {
    let shown = |device: &str| {
        let (anchors, explored) = in_modes(device);
        let query = ModesQuery { own_mode: "15W".to_owned(), ..ModesQuery::default() }.for_device(device);
        let (modes, own_modes) = (anchors.modes(), public_modes(device));
        let boards = board("orin-nano", device);
        let pickers = Pickers { id: "0123", boards: &boards, modes: &modes, own_modes: &own_modes, query: &query };
        let markup = framed(&ModesView { name: "resnet18", pickers, explored: Ok(&explored) }.render());
        assert_sound(&markup);
        assert_eq!(markup.matches("<tr").count(), 2 + 8 + 4, "four modes in two batches, and their clocks");
        markup
    };
    // Nobody measured the power of the one, and nothing recorded a clock of the accelerators that the board lacks.
    let (without_power, with_power) = (shown("orin-nano"), shown("jetson-orin-nano"));
    for part in [
        "<dd class=\"value\">not known</dd>",
        "Energy is not known of any candidate",
        "no power was measured in any mode",
    ] {
        let said = |markup: &str| markup.to_lowercase().contains(&part.to_lowercase());
        assert!(said(&without_power) && !said(&with_power), "{part}");
    }
    assert!(with_power.contains("Chosen for energy") && with_power.contains("energy per image, mJ"));
    assert!(without_power.contains("<dt>DLA</dt><dd>–</dd>"), "{without_power}");
    let own = ["612.0", "2133.0", "1497.6"].map(|mhz| format!("<td class=\"n\">{mhz}</td>"));
    assert!(own.iter().all(|cell| with_power.contains(cell)), "the clocks of 15 W");
    assert!(!with_power.contains("recorded with the measurements"), "they are the table's");
}

#[test]
fn hostile_names_of_boards_and_modes_stay_text() {
    let (anchors, mut explored) = in_modes("jetson-orin-nano");
    let mut modes = anchors.modes();
    for outlook in &mut explored.outlooks {
        (outlook.board, outlook.mode) = (HOSTILE.to_owned(), Some(HOSTILE.to_owned()));
    }
    for mode in &mut modes {
        (mode.name, mode.source) = (HOSTILE.to_owned(), HOSTILE.to_owned());
    }
    explored.caveats = vec![HOSTILE.to_owned()];
    explored.shown_device = Some(HOSTILE.to_owned());
    let text = || HOSTILE.to_owned();
    let query = ModesQuery { mode: text(), batch: text(), limit: text(), goal: text(), ..ModesQuery::default() };
    let (query, boards) = (query.for_device(HOSTILE), board(HOSTILE, HOSTILE));
    let pickers = || Pickers { id: "0123", boards: &boards, modes: &modes, own_modes: &modes, query: &query };
    assert_sound(&framed(&ModesView { name: HOSTILE, pickers: pickers(), explored: Ok(&explored) }.render()));
    let failure = Failure::data(HOSTILE);
    assert_sound(&framed(&ModesView { name: HOSTILE, pickers: pickers(), explored: Err(&failure) }.render()));
}

#[test]
fn devices_of_a_board_are_one_choice_where_their_clocks_are_known() {
    let device = |name: &str| learn::model::Device { name: name.to_owned(), ..learn::model::Device::default() };
    let devices = ["jetson-orin-nano", "my board", "orin-nano", "orin-nano@15W", "orin-nano@25W"].map(device);
    let boards = board_choices(&devices);
    let names: Vec<(&str, usize, bool)> =
        boards.iter().map(|board| (board.name.as_str(), board.devices.len(), board.has_clocks)).collect();
    let expected =
        [("jetson-orin-nano", 1, false), ("my board", 1, false), ("orin-nano", 1, false), ("orin-nano", 2, true)];
    assert_eq!(names, expected);
}
