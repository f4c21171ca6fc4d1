//! What holds no layer information is refused, and the refusal says what it is and what to do.

#![allow(missing_docs)]

use shared::engine::{EngineInfoError, parse, read};
use shared::failure::Kind;
use shared::limits;

fn refused(content: &[u8]) -> EngineInfoError {
    let error = parse(content).expect_err("must be refused");
    assert!(!error.help().is_empty() && !error.help().ends_with('.'), "{}", error.help());
    error
}

#[test]
fn other_files_are_told_for_what_they_are() {
    let cases: [(&[u8], EngineInfoError); 22] = [
        (b"", EngineInfoError::Empty),
        (b" \n\t\n", EngineInfoError::Empty),
        (b"layer,power\nconv,1\n", EngineInfoError::NotJson),
        (b"[I] Starting [1,2]\n{no json}", EngineInfoError::NotJson),
        (br#"{"Layers""#, EngineInfoError::Broken { line: 1, column: 10 }),
        (b"{\"Layers\": [\n  {\"Name\": \"co", EngineInfoError::Broken { line: 2, column: 12 }),
        (br#"{"Layers": ["conv1", "relu1"], "Bindings": ["x"]}"#, EngineInfoError::NamesOnly { layers: 2 }),
        (br#"{"Layers": [{"Name": "conv1"}, "relu1"]}"#, EngineInfoError::NamesOnly { layers: 2 }),
        (b"Layers:\nconv1\nrelu1\n\nBindings:\nx\n", EngineInfoError::NamesOnly { layers: 2 }),
        (br#"{"Layers": [], "Bindings": []}"#, EngineInfoError::NoLayers),
        (br#"{"Layers": [1, null]}"#, EngineInfoError::Unreadable { layers: 2 }),
        (br#"{"Layers": {"a": 1}}"#, EngineInfoError::NotAnEngineInfo { keys: vec!["Layers".into()] }),
        (br#"[{"count": 3}, {"name": "a", "timeMs": 1.5, "averageMs": 0.5}]"#, EngineInfoError::Profile),
        (br#"[{"startEnqMs": 1.0, "endEnqMs": 2.0, "latencyMs": 3.0}]"#, EngineInfoError::Times),
        (br#"[{"name": "y", "dimensions": "1x10", "values": [1, 2]}]"#, EngineInfoError::Outputs),
        (br#"{"model_options": {}, "build_options": {}}"#, EngineInfoError::Metadata),
        (br#"[{"Name": "A board", "ComputeCapability": [8, 7]}]"#, EngineInfoError::Metadata),
        (br#"{"conv1": [[0.1, "20250101-10:00:00.000001"]]}"#, EngineInfoError::Latencies),
        (br#"{"epochs": 3}"#, EngineInfoError::NotAnEngineInfo { keys: vec!["epochs".into()] }),
        (b"\x08\x08\x12\x07pytorch\x1a\x052.0.0:\x10", EngineInfoError::OnnxModel),
        (b"ftrt\x00\x00\x00\x00\xe8\x01\x00", EngineInfoError::EngineBinary),
        (b"PK\x03\x04\x00\x00", EngineInfoError::Binary { what: Some("a ZIP archive or PyTorch model") }),
    ];
    for (content, expected) in cases {
        assert_eq!(refused(content), expected, "{}", String::from_utf8_lossy(content));
    }
    // A length and JSON stand before the engine in some exporters' files.
    assert_eq!(refused(b"\x20\x00\x00\x00{\"stride\": 32}ptrt\x00\x00"), EngineInfoError::EngineBinary);
    assert_eq!(refused(&[0, 159, 146, 150]), EngineInfoError::Binary { what: None });
    for (head, what) in [
        (&b"\x1f\x8b\x08\x00"[..], "gzip"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "zstd"),
        (b"\x7fELF\x02\x01", "program"),
        (b"\x80\x04\x95{\"Layers\"", "pickle"),
        (b"SQLite format 3\x00", "SQLite"),
    ] {
        assert!(refused(head).to_string().contains(what), "{what}");
    }
    // Weights of another exporter: a length, JSON, numbers.
    let safetensors = [&b"\x40\x00\x00\x00\x00\x00\x00\x00"[..], br#"{"conv1":{"dtype":"F32"}}"#, &[0; 64]].concat();
    assert_eq!(refused(&safetensors), EngineInfoError::Binary { what: None });
    // A text that names an engine is not one.
    assert_eq!(refused(b"ftrt \x07 is how engines begin"), EngineInfoError::EngineBinary);
    assert_eq!(refused(b"an engine begins with ftrt, \x07"), EngineInfoError::NotJson);
}

#[test]
fn names_only_names_the_missing_option() {
    let help = refused(br#"{"Layers": ["conv1"]}"#).help();
    for word in ["--profilingVerbosity=detailed", "--exportLayerInfo", "ProfilingVerbosity.DETAILED", "Torch-TensorRT"]
    {
        assert!(help.contains(word), "{word}: {help}");
    }
}

#[test]
fn nesting_is_refused_before_anything_is_built() {
    let fits = limits::ENGINE_INFO_DEPTH - 3;
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"Layers": [{{"Name": "a", "LayerType": "NoOp", "Odd": {open}{close}}}]}}"#)
    };
    assert!(parse(nested(fits).as_bytes()).is_ok());
    assert!(matches!(refused(nested(fits + 1).as_bytes()), EngineInfoError::TooDeep { line: 1, .. }));
    for bracket in ["[", "{\"a\":", "[{\"Layers\":["] {
        assert!(matches!(refused(bracket.repeat(1_000_000).as_bytes()), EngineInfoError::TooDeep { .. }), "{bracket}");
    }
}

#[test]
fn sizes_and_counts_are_refused_before_anything_is_built() {
    let too_large = vec![b' '; usize::try_from(limits::ENGINE_INFO_BYTES).expect("fits") + 1];
    assert_eq!(refused(&too_large), EngineInfoError::TooLarge);
    let layers = |count: usize| format!(r#"{{"Layers": [{}0]}}"#, "0,".repeat(count - 1));
    assert_eq!(refused(layers(limits::ENGINE_LAYERS + 1).as_bytes()), EngineInfoError::TooManyLayers);
    assert_eq!(
        refused(layers(limits::ENGINE_LAYERS).as_bytes()),
        EngineInfoError::Unreadable { layers: limits::ENGINE_LAYERS }
    );
    let layer = format!(r#"{{"Name": "a", "Inputs": [{}{{}}]}}"#, "{},".repeat(limits::LAYER_TENSORS));
    let count = limits::ENGINE_TENSORS / limits::LAYER_TENSORS + 1;
    let many = format!(r#"{{"Layers": [{}]}}"#, vec![layer; count].join(","));
    assert_eq!(refused(many.as_bytes()), EngineInfoError::TooManyTensors);
}

#[test]
fn diagnostics_are_counted_past_a_limit() {
    let layer = r#"{"Name": 1, "LayerType": 2, "Kernel": 3}"#;
    let text = format!(r#"{{"Layers": [{}]}}"#, vec![layer; 1_000].join(","));
    let (engine, diagnostics) = parse(text.as_bytes()).expect("layers");
    assert_eq!(engine.layers.len(), 1_000);
    assert_eq!(diagnostics.len(), limits::DIAGNOSTICS + 1);
    let last = &diagnostics[limits::DIAGNOSTICS];
    assert!(last.message.contains("more diagnostics"), "{last}");
}

#[test]
fn a_refused_file_is_named_with_the_place_and_the_next_step() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("engine.json");
    std::fs::write(&path, "{\"Layers\": [").expect("write");
    let failure = read(&path).expect_err("must fail");
    assert_eq!(failure.kind, Kind::Data);
    assert_eq!(failure.path.as_deref(), Some(path.as_path()));
    assert_eq!(failure.place.as_deref(), Some("line 1, column 13"));
    assert!(failure.help.is_some_and(|help| help.contains("cut off")));
    let missing = read(&folder.path().join("absent.json")).expect_err("must fail");
    assert_eq!(missing.kind, Kind::Io);
}
