//! Whatever the bytes, the parser returns; whatever it returns, work can be asked for.

#![allow(missing_docs)]

use proptest::prelude::*;
use shared::engine::parse;
use shared::limits;
use simulate::architectures::{Options, engine_info};

/// Parses and asks for everything that is derived.
fn exercise(content: &[u8]) {
    match parse(content) {
        Ok((engine, diagnostics)) => {
            assert!(!engine.layers.is_empty());
            assert!(diagnostics.len() <= limits::DIAGNOSTICS + 1);
            let (mut macs, mut parameters) = (0_u64, 0_u64);
            let mut last = None;
            for layer in &engine.layers {
                assert!(last < Some(layer.index), "indices rise");
                last = Some(layer.index);
                macs = macs.saturating_add(layer.macs().unwrap_or(0));
                parameters = parameters.saturating_add(layer.parameters());
                let parts = layer.bytes_in().saturating_add(layer.bytes_out()).saturating_add(layer.bytes_weights());
                assert_eq!(layer.bytes_moved(), if layer.kind.is_free() { 0 } else { parts });
                let _ = (layer.precision(), layer.batch(), layer.kind.table());
            }
            assert_eq!((engine.macs(), engine.parameters()), (macs, parameters));
            let profiles = engine.profiles();
            assert!(engine.layers.iter().all(|l| l.profile.is_none_or(|p| p < profiles || p == usize::MAX)));
            for diagnostic in diagnostics {
                assert!(!diagnostic.to_string().is_empty());
            }
        }
        Err(error) => assert!(!error.to_string().is_empty() && !error.help().is_empty()),
    }
}

/// Pieces that engine infos, logs and their faults are made of.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("\\u12".to_owned()),
        Just("NaN".to_owned()),
        Just("-1".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just(" [profile 1]".to_owned()),
        Just("PWN(".to_owned()),
        Just("\nName: a, LayerType: gemm, Inputs: [ { Name: x, Dimensions: [1,2], Format/Datatype: Half }".to_owned()),
        Just("Layers:\nBindings:\n".to_owned()),
        Just("\u{1e}é\u{0}".to_owned()),
        prop::sample::select(vec![
            "\"Layers\":[",
            "\"Bindings\":[",
            "\"Name\":\"a\"",
            "\"LayerType\":\"CaskConvolution\"",
            "\"LayerType\":\"gemm\"",
            "\"Inputs\":[{\"Name\":\"x\",\"Dimensions\":[1,0,-1,7]}]",
            "\"Outputs\":[{\"Name\":\"y\",\"Dimensions\":[0]}]",
            "\"Kernel\":[3,3]",
            "\"Groups\":0",
            "\"Weights\":{\"Type\":\"Half\",\"Count\":-3}",
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        exercise(&bytes);
    }

    #[test]
    fn any_pieces_are_parsed_or_refused(pieces in prop::collection::vec(piece(), 0..60)) {
        exercise(pieces.concat().as_bytes());
    }

    /// A whole engine with a few bytes overwritten, removed or doubled.
    #[test]
    fn a_damaged_engine_is_parsed_or_refused(
        name in prop::sample::select(&["lenet", "alexnet"][..]),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>(), 1..200_usize), 1..12),
    ) {
        let mut bytes = engine_info(name, Options::default()).expect("known network").into_bytes();
        for (at, how, byte, length) in damage {
            let start = at.index(bytes.len());
            let end = (start + length).min(bytes.len());
            match how {
                0 => bytes[start] = byte,
                1 => drop(bytes.drain(start..end)),
                _ => {
                    let copy = bytes[start..end].to_vec();
                    bytes.splice(start..start, copy);
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        exercise(&bytes);
    }

    /// The beginning of an engine yields the layers that are whole.
    #[test]
    fn the_start_of_an_engine_yields_its_first_layers(cut in any::<prop::sample::Index>()) {
        let text = engine_info("lenet", Options::default()).expect("known network");
        let whole = parse(text.as_bytes()).expect("layers").0;
        let start = &text.as_bytes()[..cut.index(text.len())];
        if let Ok((engine, _)) = parse(start) {
            prop_assert!(engine.layers.len() <= whole.layers.len());
            for (part, layer) in engine.layers.iter().zip(&whole.layers) {
                prop_assert_eq!(&part.name, &layer.name);
                prop_assert_eq!(part.kind, layer.kind);
            }
        } else {
            let first_layer_ends = text.find("},\n").expect("a layer ends");
            prop_assert!(start.len() <= first_layer_ends, "{} bytes are refused", start.len());
        }
    }
}
