//! `host-trainer` without a command: what to do next.

use shared::failure::Failure;
use shared::printer::Printer;
use std::path::Path;

/// What lies in a folder, and the command that goes on from there: the later step goes first.
const STEPS: [(&str, &str, &str); 4] = [
    (
        "my_models",
        "predict with your own models",
        "host-trainer predict --trt-engine-path ENGINE.json --models my_models",
    ),
    (
        "training_data",
        "fit models to the tables",
        "host-trainer fit --data training_data --out my_models --device my-board",
    ),
    ("preprocessed_data", "make training tables of the aligned runs", "host-trainer dataset"),
    ("raw_data", "align the recorded runs", "host-trainer align"),
];

pub(super) fn run(printer: &Printer) -> Result<(), Failure> {
    printer.data(&text(Path::new(".")))
}

fn text(folder: &Path) -> String {
    let mut text =
        "host-trainer predicts what a CNN costs on a Jetson, layer by layer, and learns it from measurements.\n\n"
            .to_owned();
    let next = STEPS.iter().find(|(name, ..)| folder.join(name).is_dir());
    if let Some((name, does, command)) = next {
        text += &format!("There is a folder `{name}` here. To {does}:\n\n  {command}\n\n");
    }
    let others = [
        ("the whole path on a simulated board, in seconds", "host-trainer demo"),
        ("predict an engine", "host-trainer predict --trt-engine-path ENGINE.json"),
        ("convert logs of other tools", "host-trainer ingest --help"),
        ("every command", "host-trainer help"),
    ];
    for (what, command) in others {
        text += &format!("  {command:<52}{what}\n");
    }
    text += "\nAn engine info comes from `trtexec --onnx=model.onnx --profilingVerbosity=detailed --exportLayerInfo=ENGINE.json`.\n";
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_step_is_continued() {
        let folder = tempfile::tempdir().expect("temporary folder");
        assert!(!text(folder.path()).contains("There is a folder"));
        for (name, command) in [("raw_data", "host-trainer align\n"), ("training_data", "host-trainer fit ")] {
            std::fs::create_dir(folder.path().join(name)).expect("creates");
            let text = text(folder.path());
            assert!(text.contains(&format!("`{name}`")) && text.contains(command), "{text}");
        }
    }
}
