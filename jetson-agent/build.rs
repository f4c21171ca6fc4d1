//! Compiles the shim between TensorRT's C++ interface and ours, with the feature `tensorrt`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "tensorrt")]
    shim::compile();
}

#[cfg(feature = "tensorrt")]
mod shim {
    use std::path::PathBuf;

    /// JetPack's places, after the folders given.
    const TENSORRT: [&str; 2] = ["/usr/include/aarch64-linux-gnu", "/usr/include/x86_64-linux-gnu"];
    const CUDA: [&str; 2] = ["/usr/local/cuda/include", "/usr/include"];

    fn find(variable: &str, places: &[&str], header: &str) -> PathBuf {
        println!("cargo:rerun-if-env-changed={variable}");
        let given = std::env::var_os(variable).map(PathBuf::from);
        let found =
            given.into_iter().chain(places.iter().map(PathBuf::from)).find(|folder| folder.join(header).is_file());
        found.unwrap_or_else(|| panic!("{header} is not in {places:?}; set {variable} to the folder that holds it"))
    }

    pub(super) fn compile() {
        println!("cargo:rerun-if-changed=src/runner/tensorrt/shim.cpp");
        cc::Build::new()
            .cpp(true)
            .std("c++17")
            .file("src/runner/tensorrt/shim.cpp")
            .include(find("TENSORRT_INCLUDE_DIR", &TENSORRT, "NvInferRuntime.h"))
            .include(find("CUDA_INCLUDE_DIR", &CUDA, "cuda_runtime_api.h"))
            .flag_if_supported("-Wno-deprecated-declarations")
            .compile("edge_tensorrt_shim");
    }
}
