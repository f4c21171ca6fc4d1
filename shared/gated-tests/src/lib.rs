//! Tests over measured data that are not part of the repository, and tests that need a program that may not be there.
//!
//! The measurements lie in `../shared/data` beside the repository, or where `LAYERJOULE_TEST_DATA` says. A test that needs them
//!
//! - runs where they are,
//! - is listed as `ignored` where they are not, so that nobody takes it for passed,
//! - fails where they are not and `CI=true` is set.
//!
//! The built-in harness decides at compile time what is ignored, so test binaries with such tests set `harness = false` and call
//! [`run`]. They take the same arguments as other test binaries.
//!
//! ```no_run
//! use gated_tests::{data, measured, run};
//!
//! fn every_engine_info_is_read() {
//!     assert!(data("engine_info").read_dir().is_ok_and(|files| files.count() > 50));
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     run(vec![measured("every_engine_info_is_read", "engine_info", every_engine_info_is_read)])
//! }
//! ```

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Names another folder with the measurements.
pub const FOLDER_VARIABLE: &str = "LAYERJOULE_TEST_DATA";

/// A file or folder of the measurements.
#[must_use]
pub fn data(path: &str) -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    std::env::var_os(FOLDER_VARIABLE).map_or_else(beside, PathBuf::from).join(path)
}

/// A test that needs a file or folder of the measurements.
#[must_use]
pub fn measured(name: &str, needs: &str, test: fn()) -> Trial {
    gated(name, &data(needs), continuous_integration(), test)
}

/// A test that needs another program or library. `there` says whether it is; `missing` says what is missing and how to get it.
#[must_use]
pub fn peer(name: &str, there: bool, missing: &str, test: fn()) -> Trial {
    trial(name, there, missing.to_owned(), continuous_integration(), test)
}

fn continuous_integration() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// Runs tests with the arguments of this process, as the built-in harness does.
#[must_use]
pub fn run(tests: Vec<Trial>) -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}

/// A test that needs a path, which must be there under continuous integration.
fn gated(name: &str, needs: &Path, must: bool, test: fn()) -> Trial {
    let missing = format!(
        "needs {}, which is not there; {FOLDER_VARIABLE} names the folder of the measurements",
        needs.display()
    );
    trial(name, needs.exists(), missing, must, test)
}

fn trial(name: &str, there: bool, missing: String, must: bool, test: fn()) -> Trial {
    Trial::ignorable_test(name, move || {
        if there {
            test();
            Ok(Completion::Completed)
        } else if must {
            Err(Failed::from(missing))
        } else {
            Ok(Completion::ignored_with(missing))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use libtest_mimic::{Conclusion, run};

    /// What becomes of a test: `(passed, failed, ignored)`.
    fn outcome(needs: &str, must: bool, arguments: &[&str], test: fn()) -> (u64, u64, u64) {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join(needs);
        let arguments = Arguments::from_iter([&["gated", "--quiet"], arguments].concat());
        let Conclusion { num_passed, num_failed, num_ignored, .. } =
            run(&arguments, vec![gated("a_test", &here, must, test)]);
        (num_passed, num_failed, num_ignored)
    }

    #[test]
    fn a_test_without_its_data_is_never_counted_as_passed() {
        assert_eq!(outcome("src", false, &[], || {}), (1, 0, 0));
        assert_eq!(outcome("src", true, &[], || {}), (1, 0, 0));
        assert_eq!(outcome("src", false, &[], || panic!("it fails")), (0, 1, 0));
        assert_eq!(outcome("none", false, &[], || {}), (0, 0, 1));
        assert_eq!(outcome("none", true, &[], || {}), (0, 1, 0));
        assert_eq!(outcome("none", false, &["--include-ignored"], || {}), (0, 0, 1));
    }
}
