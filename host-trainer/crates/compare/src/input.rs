//! The files that a side is read from.

use crate::derived::{Forecast, add_origin};
use crate::measured::{self, Measurement};
use crate::saved;
use crate::side::{Side, SideLayer};
use align::folder::ENGINE_INFO;
use align::mapping;
use graph::{GraphOrigin, OpenedEngine, Options, is_onnx};
use learn::predict::engine_files;
use memory::Memory;
use shared::engine::{self, Diagnostic, Engine, EngineInfoError};
use shared::failure::Failure;
use shared::fs::read_capped;
use shared::limits;
use shared::text;
use std::path::{Path, PathBuf};

/// Bytes at the beginning of a file that tell what it is.
const HEAD: usize = 4096;

/// What a file is, by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Predictions saved as JSON.
    Saved,
    /// A profile of `trtexec`.
    Profile,
    /// Anything else is read as an engine info.
    Engine,
}

impl Content {
    fn of(content: &[u8]) -> Self {
        let text = text::decode(content.get(..HEAD).unwrap_or(content)).text;
        let begins: String = text.chars().filter(|c| !c.is_whitespace()).take(10).collect();
        let is_profile =
            begins.starts_with("[{\"count\"") || text.contains("\"averageMs\"") || text.contains("\"medianMs\"");
        match () {
            () if saved::is_saved(&text) => Self::Saved,
            () if begins.starts_with('[') && is_profile => Self::Profile,
            () => Self::Engine,
        }
    }
}

/// Reads the sides that a file or folder holds:
///
/// - a **saved prediction** of `predict --format json`, one or several;
/// - an **engine info**, with the times of `times` where they are given, else predicted by `forecast`;
/// - an **ONNX graph**, whose layers are derived as `graph` says, likewise;
/// - a **profile** of `trtexec`, with the engine info beside it (`x.profile.json` and `x.graph.json`) where it is there;
/// - the folder of an **aligned run**, or its mapping, with the engine info beside it.
///
/// This is the one place where the kinds of files are told apart.
///
/// # Errors
/// A file that cannot be read or is none of these, `times` for what has its own, and whatever keeps an engine from being
/// predicted.
pub fn read(path: &Path, times: Option<&Path>, graph: &Options, forecast: &Forecast<'_>) -> Result<Vec<Side>, Failure> {
    let name = path.display().to_string();
    let of_measurements = |measurements: Vec<Measurement>, engine: Option<PathBuf>| -> Result<Vec<Side>, Failure> {
        Ok(vec![match engine.map(|path| described(&path)).transpose()?.flatten() {
            Some(engine) => timed(&name, &engine, measurements),
            None => Side::measured(&name, measured::alone(measurements)),
        }])
    };
    let no_other_times = |has: &str| match times {
        None => Ok(()),
        Some(times) => Err(Failure::usage(format!("is {has} and takes no times from `{}`", times.display()))
            .at(path)
            .help("give the engine info or the ONNX graph that the times are of, or leave the times out")),
    };
    if path.is_dir() {
        no_other_times("an aligned run")?;
        return of_measurements(measured::mapping(&path.join(mapping::FILE))?, beside(path.join(ENGINE_INFO)));
    }
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
        no_other_times("a mapping")?;
        return of_measurements(measured::mapping(path)?, beside(path.with_file_name(ENGINE_INFO)));
    }
    let of_engine =
        |engine: &Engine, diagnostics: &[Diagnostic], origin: Option<&GraphOrigin>| -> Result<Side, Failure> {
            match times {
                Some(times) => {
                    let mut side = timed(&name, engine, measurements(times)?);
                    let times = side.layers.iter().filter_map(|layer| Some((layer.index, layer.runtime?.0)));
                    let remarks = origin.map(|origin| origin.remarks(times)).unwrap_or_default();
                    side.warnings.splice(..0, remarks);
                    Ok(side)
                }
                None => {
                    let mut prediction = forecast(engine, diagnostics).map_err(|f| f.default_path(path))?;
                    if let Some(origin) = origin {
                        add_origin(&mut prediction, engine, origin, forecast).map_err(|f| f.default_path(path))?;
                    }
                    Ok(Side::predicted(&name, engine, &prediction))
                }
            }
        };
    if is_onnx(path)? {
        let OpenedEngine { engine, diagnostics, graph } = graph::read_engine(path, graph)?;
        return Ok(vec![of_engine(&engine, &diagnostics, graph.as_ref())?]);
    }
    let content = read_capped(path, limits::ENGINE_INFO_BYTES)?;
    match Content::of(&content) {
        Content::Saved => {
            no_other_times("a saved prediction")?;
            saved::read(&content, path)
        }
        Content::Profile => {
            no_other_times("a profile")?;
            of_measurements(measured::profile(&content, path)?, graph_of(path))
        }
        Content::Engine => {
            let (engine, diagnostics) = parse_engine(&content, path)?;
            Ok(vec![of_engine(&engine, &diagnostics, None)?])
        }
    }
}

/// As [`read`], where just one side is wanted.
///
/// # Errors
/// As [`read`], and a file with several predictions.
pub fn read_one(path: &Path, times: Option<&Path>, graph: &Options, forecast: &Forecast<'_>) -> Result<Side, Failure> {
    let mut sides = read(path, times, graph, forecast)?;
    match (sides.pop(), sides.len()) {
        (Some(side), 0) => Ok(side),
        (_, more) => Err(Failure::data(format!("holds {} predictions", more + 1))
            .at(path)
            .help("save the prediction of one engine with `host-trainer predict --format json`")),
    }
}

/// The files that paths name: files as they are, folders of aligned runs as they are, and of every other folder the files in
/// it that may be engines (`*.json`, `*.txt`, `*.onnx`), sorted.
///
/// # Errors
/// A folder that cannot be listed or holds no such file.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.join(mapping::FILE).is_file() {
            files.push(path.clone());
        } else {
            files.extend(engine_files(std::slice::from_ref(path))?);
        }
    }
    Ok(files)
}

/// Reads the engine info that lies beside measurements; none where it lists names of layers alone, which measurements have
/// too.
fn described(path: &Path) -> Result<Option<Engine>, Failure> {
    let content = read_capped(path, limits::ENGINE_INFO_BYTES)?;
    match engine::parse(&content) {
        Ok((engine, _)) => Ok(Some(engine)),
        Err(EngineInfoError::NamesOnly { .. }) => Ok(None),
        Err(error) => Err(error.failure(path)),
    }
}

fn parse_engine(content: &[u8], path: &Path) -> Result<(Engine, Vec<Diagnostic>), Failure> {
    engine::parse(content).map_err(|error| error.failure(path))
}

fn measurements(path: &Path) -> Result<Vec<Measurement>, Failure> {
    if path.is_dir() {
        return measured::mapping(&path.join(mapping::FILE));
    }
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
        return measured::mapping(path);
    }
    let content = read_capped(path, limits::ENGINE_INFO_BYTES)?;
    let next = "give the profile that `trtexec --exportProfile=FILE.json` wrote, or an aligned run";
    measured::profile(&content, path).map_err(|failure| failure.help(next))
}

fn timed(name: &str, engine: &Engine, measurements: Vec<Measurement>) -> Side {
    let mut layers: Vec<SideLayer> = engine.layers_of_profile(0).map(SideLayer::of).collect();
    let warnings = measured::apply(&mut layers, measurements);
    Side { warnings, memory: Some(Memory::of(engine, 0)), ..Side::measured(name, layers) }
}

fn beside(path: PathBuf) -> Option<PathBuf> {
    path.is_file().then_some(path)
}

/// The engine info that NVIDIA's engine explorer writes next to a profile.
fn graph_of(profile: &Path) -> Option<PathBuf> {
    let name = profile.file_name()?.to_str()?;
    let (head, tail) = name.rsplit_once(".profile.")?;
    beside(profile.with_file_name(format!("{head}.graph.{tail}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use learn::predict::Prediction;
    use shared::failure::Kind;
    use std::fs;

    fn no_models(_: &Engine, _: &[Diagnostic]) -> Result<Prediction, Failure> {
        Err(Failure::usage("there are no models"))
    }

    const ENGINE: &str = r#"{"Layers": [{"Name": "conv1", "LayerType": "CaskConvolution",
        "Inputs": [{"Name": "a", "Dimensions": [1, 8, 4, 4], "Format/Datatype": "Half"}],
        "Outputs": [{"Name": "b", "Dimensions": [1, 16, 4, 4], "Format/Datatype": "Half"}],
        "Weights": {"Type": "Half", "Count": 1152}}], "Bindings": ["a", "b"]}"#;
    const PROFILE: &str = r#"[{"count": 10}, {"name": "conv1", "averageMs": 0.25}]"#;
    const MAPPING_ROWS: &str = "cycle,layer_name,layer_type,layer_power_including_idle_power_micro_watt,\
        layer_power_excluding_idle_power_micro_watt,layer_run_time\n1,conv1,CaskConvolution,4000000,,0.5\n";

    #[test]
    fn measured_files_find_their_engine() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(&path, text).expect("a file");
            path
        };
        let profile = write("net.profile.json", PROFILE);
        let bare = read_one(&profile, None, &Options::default(), &no_models).expect("a profile");
        assert_eq!((bare.layers.len(), bare.layers[0].weights), (1, None));
        write("net.graph.json", r#"{"Layers": ["conv1"], "Bindings": []}"#);
        let names = read_one(&profile, None, &Options::default(), &no_models).expect("a profile");
        assert_eq!(names, bare, "names of layers add nothing to a profile");
        let graph = write("net.graph.json", ENGINE);
        let known = read_one(&profile, None, &Options::default(), &no_models).expect("a profile");
        assert_eq!(known.layers[0].weights, Some(1152));
        assert_eq!(known.runtime().whole().map(|t| t.0), Some(0.25));
        assert_eq!(
            read_one(&graph, Some(&profile), &Options::default(), &no_models).expect("an engine").layers,
            known.layers
        );
        write("run/trt_engine_info.json", ENGINE);
        let mapping = write("run/power_runtime_mapping_layerwise.csv", MAPPING_ROWS);
        let run = read_one(&folder.path().join("run"), None, &Options::default(), &no_models).expect("a run");
        assert_eq!(run.energy().whole().map(|e| e.0), Some(2.0));
        assert_eq!(read_one(&mapping, None, &Options::default(), &no_models).expect("a mapping").layers, run.layers);
        let twice = read_one(&profile, Some(&mapping), &Options::default(), &no_models).expect_err("has its own times");
        assert!(twice.kind == Kind::Usage && twice.message.contains("is a profile"), "{twice:?}");
        let none = read_one(&graph, Some(&graph), &Options::default(), &no_models).expect_err("no times");
        assert!(none.help.is_some_and(|help| help.contains("--exportProfile")));
        assert_eq!(read_one(&graph, None, &Options::default(), &no_models).expect_err("no models").kind, Kind::Usage);
    }

    #[test]
    fn content_tells_what_a_file_is() {
        for (text, content) in [
            (PROFILE, Content::Profile),
            ("[\n  { \"count\" : 1 }\n, { \"name\" : \"a\", \"timeMs\" : 1 }]", Content::Profile),
            (ENGINE, Content::Engine),
            ("[{\"Name\": \"a\", \"LayerType\": \"b\"}]", Content::Engine),
            ("{\n \"schema_version\": 1, \"engine\": \"a\"", Content::Saved),
            ("[{\"schema_version\": 1", Content::Saved),
            ("", Content::Engine),
        ] {
            assert_eq!(Content::of(text.as_bytes()), content, "{text}");
        }
    }
}
