//! The text of `--version`.

use crate::power::find_nvml;
use crate::runner::onnxruntime::OnnxRuntime;
use crate::runner::{tensorrt_version, trtexec};
use command_line::Library;

/// Version, commit, features, and which libraries are found on this machine.
pub(super) fn version() -> String {
    let features: Vec<&str> = [("push", cfg!(feature = "push")), ("tensorrt", cfg!(feature = "tensorrt"))]
        .into_iter()
        .filter_map(|(name, on)| on.then_some(name))
        .collect();
    let nvml = match find_nvml(None) {
        None => Err("libnvidia-ml.so cannot be opened".to_owned()),
        Some(candidate) => match candidate.source {
            Ok(_) => Ok(candidate.place),
            Err(unusable) => Err(unusable.why),
        },
    };
    let given = std::env::var_os("JETSON_AGENT_ONNXRUNTIME").map(std::path::PathBuf::from);
    let onnxruntime = OnnxRuntime::open(given.as_deref()).map_err(|e| e.to_string());
    let place = given.map_or_else(|| "libonnxruntime.so".to_owned(), |path| path.display().to_string());
    let libraries = [
        ("TensorRT", tensorrt_version()),
        ("trtexec", trtexec::find(None).map(|path| path.display().to_string())),
        ("NVML", nvml),
        ("ONNX Runtime", onnxruntime.map(|_| place)),
    ];
    let libraries = libraries.map(|(name, found)| Library { name: name.into(), found });
    command_line::version(env!("CARGO_PKG_VERSION"), &features, &libraries)
}
