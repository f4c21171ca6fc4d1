//! Profiles that `trtexec` wrote are read, where the measurements lie beside the repository.

#![allow(missing_docs)]

use gated_tests::{data, measured, run};
use jetson_agent::runner::trtexec::parse_profile;
use std::process::ExitCode;

fn main() -> ExitCode {
    run(vec![measured("every_profile_is_read", "engine_info", every_profile_is_read)])
}

fn every_profile_is_read() {
    let mut read = 0;
    for path in std::fs::read_dir(data("engine_info")).expect("the folder").flatten().map(|file| file.path()) {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(".profile.json") {
            let (count, layers) = parse_profile(&std::fs::read(&path).expect("reads")).expect(&name);
            assert!(count > 0 && layers.len() > 5, "{name}");
            read += 1;
        }
    }
    assert!(read >= 5, "{read}");
}
