//! A folder in which the program runs, and the transcript of what it wrote there.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The program, with no setting of this machine: no terminal, no colour, no variable that an option reads.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    command.env_clear().env("COLUMNS", "100").env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A folder with commands run in it.
pub(crate) struct Session {
    folder: tempfile::TempDir,
}

impl Session {
    /// A session in an empty folder.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A path below the session's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file below the session's folder.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    /// Runs the program on arguments divided by spaces.
    pub(crate) fn run(&self, arguments: &str) -> Output {
        program()
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env("HOME", self.path("home"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("HOST_TRAINER_USER", "tester")
            .env("HOST_TRAINER_AUTHOR", "tester")
            .env("RAYON_NUM_THREADS", "2")
            .output()
            .expect("the program runs")
    }

    /// Runs what prepares the next step and must work.
    pub(crate) fn prepare(&self, arguments: &str) -> Output {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Runs a command and compares all that it wrote with the snapshot of that name.
    pub(crate) fn check(&self, name: &str, arguments: &str) {
        let output = self.run(arguments);
        let mut transcript = format!("$ host-trainer {arguments}\n");
        for (stream, content) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            if !content.is_empty() {
                writeln!(transcript, "--- {stream}\n{}", String::from_utf8_lossy(content).trim_end()).expect("text");
            }
        }
        writeln!(transcript, "--- exit code {}", output.status.code().expect("it ended by itself")).expect("text");
        self.compare(name, &transcript);
    }

    /// Compares a text with a snapshot, without what differs from run to run.
    pub(crate) fn compare(&self, name: &str, text: &str) {
        let mut settings = settings();
        settings.add_filter(&escaped(self.folder.path()), "[folder]");
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}

/// Settings of every snapshot: one file a name, in `tests/snapshots`.
pub(crate) fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(&env!("CARGO_PKG_VERSION").replace('.', r"\."), "[version]");
    for (pattern, replacement) in [
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "[time]"),
        (r#"("\w*_ms": )\d{13}\b"#, "$1[time]"),
        (r#"("owner": )"[^"]*""#, "$1[host and process]"),
        (r"\b[0-9a-f]{64}\b", "[digest]"),
        (r"\b[0-9a-f]{12}\b", "[digits]"),
        (r"\b(lasso|physics)-[0-9a-f]{8}\b", "$1-[digits]"),
        (r"\d+\.\d s, [\d.]+ [kMG]?B/s", "[time and rate]"),
        // Digits that may differ between processors.
        (r"(\d\.\d{6})\d+", "$1…"),
    ] {
        settings.add_filter(pattern, replacement);
    }
    settings
}

/// A path as a regular expression that matches just it.
fn escaped(path: &Path) -> String {
    let mut pattern = String::new();
    for character in path.display().to_string().chars() {
        if !character.is_ascii_alphanumeric() && character != '/' {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}
