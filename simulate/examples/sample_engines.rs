//! Writes the sample engine infos: `cargo run -p simulate --example sample_engines -- sample_data`.

use shared::failure::Failure;
use shared::fs::write_atomic;
use simulate::architectures::{NAMES, Options, engine_info};
use std::path::Path;

fn main() -> std::process::ExitCode {
    match write() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(failure) => {
            #[allow(clippy::print_stderr)]
            {
                eprintln!("{failure}");
            }
            failure.kind.into()
        }
    }
}

fn write() -> Result<(), Failure> {
    let folder = std::env::args_os().nth(1).ok_or_else(|| {
        Failure::usage("no folder is given").help("cargo run -p simulate --example sample_engines -- sample_data")
    })?;
    for name in NAMES {
        let path = Path::new(&folder).join(format!("{name}_trt_engine_info.json"));
        let info = engine_info(name, Options::default()).unwrap_or_default();
        write_atomic(&path, info.as_bytes())?;
    }
    Ok(())
}
