//! Which TensorRT is on this machine.

/// The version of TensorRT's library on this machine, by opening it and asking; why not, otherwise.
///
/// # Errors
/// A sentence.
pub fn tensorrt_version() -> Result<String, String> {
    tensorrt_version_of(None)
}

/// As [`tensorrt_version`], of a given library.
///
/// # Errors
/// A sentence.
pub fn tensorrt_version_of(library: Option<&std::path::Path>) -> Result<String, String> {
    let usual = ["libnvinfer.so.11", "libnvinfer.so.10", "libnvinfer.so.8", "libnvinfer.so"].map(std::path::Path::new);
    let names: Vec<&std::path::Path> = library.map_or_else(|| usual.to_vec(), |path| vec![path]);
    // SAFETY: TensorRT's libraries run only their own C++ initialisers when opened, which start no CUDA.
    let library = names
        .into_iter()
        .find_map(|name| unsafe { libloading::Library::new(name) }.ok())
        .ok_or_else(|| "libnvinfer.so cannot be opened".to_owned())?;
    // SAFETY: the function takes nothing and returns an int in every version (NvInferRuntimeBase.h).
    let version = unsafe {
        let function: libloading::Symbol<'_, unsafe extern "C" fn() -> i32> =
            library.get(b"getInferLibVersion\0").map_err(|e| e.to_string())?;
        function()
    };
    Ok(if version >= 100_000 {
        format!("{}.{}.{}", version / 10_000, version / 100 % 100, version % 100)
    } else {
        format!("{}.{}.{}", version / 1_000, version / 100 % 10, version % 100)
    })
}
