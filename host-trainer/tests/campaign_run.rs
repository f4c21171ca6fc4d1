//! `campaign run` on a board that a stand-in for `ssh` reaches: a folder of its own as home, the real agent on a simulated board.

mod programs;

use programs::agent;
use serde_json::Value;
use shared::campaign::{
    CampaignPlan, Expectation, FORMAT_VERSION, ItemKind, Outcome, PROGRESS_FILE, PlanItem, ProgressLog,
};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(300);
const LENET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sample_data/lenet_trt_engine_info.json");

/// What `ssh` is here: it runs the command by a shell, in the board's home and behind the board's own programs. `unreachable` refuses
/// connections, `break` cuts off the first one that follows the log, and `break-reading` as many that copy files as it has lines, after 3,000
/// bytes; all of them files beside the home.
const SSH: &str = r#"#!/bin/bash
echo "$*" >>"$TEST/calls"
while :; do case $1 in
    -o) shift 2 ;;
    -t) shift ;;
    --) shift; break ;;
    *) echo "an option that is not known: $1" >&2; exit 255 ;;
esac; done
[ "$1" = me@board ] || { echo "ssh: Could not resolve hostname $1: Name or service not known" >&2; exit 255; }
shift
[ ! -e "$TEST/unreachable" ] || { echo "ssh: connect to host board port 22: Connection refused" >&2; exit 255; }
cd "$TEST/home" || exit 255
export HOME=$TEST/home PATH=$TEST/board-bin:$PATH
if [ -e "$TEST/break" ] && [[ "$*" == *"tail -c"* ]]; then
    rm "$TEST/break"
    timeout 1 bash -c "$*"
    echo "Connection to board closed by remote host." >&2
    exit 255
fi
if [ -s "$TEST/break-reading" ] && [[ "$*" == *"wc -c"* ]]; then
    sed -i 1d "$TEST/break-reading"
    bash -c "$*" | head -c 3000
    echo "Connection to board closed by remote host." >&2
    exit 255
fi
exec bash -c "$*"
"#;

/// A plan and a board.
struct Bench {
    folder: tempfile::TempDir,
}

fn item(id: &str, pass_s: f64) -> PlanItem {
    PlanItem {
        id: id.into(),
        kind: ItemKind::Network,
        onnx: format!("models/{id}.onnx"),
        engine_info: format!("models/{id}.json"),
        precision: "fp32".into(),
        pass_s,
        inferences: 100_000,
        expected_s: 2.0 * pass_s,
        gain: 0.1,
        held_out: false,
    }
}

fn program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
    fs::write(path, text).expect("writes");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("sets");
}

impl Bench {
    /// A plan of some items, each of which takes about twice `pass_s`. Those whose name begins with `broken` cannot be measured.
    fn new(ids: &[&str], pass_s: f64) -> Self {
        let bench = Self { folder: tempfile::tempdir().expect("temporary folder") };
        let plan = CampaignPlan {
            format_version: FORMAT_VERSION,
            program: "test".into(),
            board: "orin-nano".into(),
            modes: Vec::new(),
            power: true,
            time_s: 3600.0,
            seed: 1,
            strategy: "plan".into(),
            expectation: Expectation::default(),
            items: ids.iter().map(|id| item(id, pass_s)).collect(),
        };
        fs::create_dir_all(bench.plan().join("models")).expect("creates");
        for item in &plan.items {
            let text =
                if item.id.starts_with("broken") { "{}".into() } else { fs::read_to_string(LENET).expect("reads") };
            fs::write(bench.plan().join(&item.engine_info), text).expect("writes");
            fs::write(bench.plan().join(&item.onnx), format!("not looked at: {}", item.id)).expect("writes");
        }
        plan.write(&bench.plan()).expect("writes");
        fs::create_dir_all(bench.path("home")).expect("creates");
        program(&bench.path("bin/ssh"), SSH);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn plan(&self) -> PathBuf {
        self.path("plan")
    }

    /// The campaign's folder on the board.
    fn there(&self) -> PathBuf {
        let mut all = fs::read_dir(self.path("home/.layerjoule/campaigns")).expect("lists").flatten();
        let folder = all.next().expect("a campaign").path();
        assert!(all.next().is_none(), "one plan has one folder");
        folder
    }

    fn command(&self, options: &[&str], of_the_agent: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap_or_default());
        command.current_dir(self.folder.path()).args(["campaign", "run", "--on", "me@board", "--format", "json"]);
        command.arg("--agent").arg(agent()).args(options).arg("--");
        command
            .args(["--runner", "simulated", "--no-realtime", "--idle", "300ms", "--rest", "20ms"])
            .args(of_the_agent);
        command.env("PATH", path).env("TEST", self.folder.path()).env("JETSON_AGENT_ROOT", self.path("no-board"));
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, options: &[&str], of_the_agent: &[&str]) -> Output {
        self.command(options, of_the_agent).output().expect("runs")
    }

    /// A run that must succeed, and its report.
    fn done(&self, options: &[&str], of_the_agent: &[&str]) -> Value {
        let output = self.run(options, of_the_agent);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        serde_json::from_slice(&output.stdout).expect("a report")
    }

    fn stop(&self, options: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap_or_default());
        command.current_dir(self.folder.path()).env("PATH", path).env("TEST", self.folder.path());
        let arguments = ["campaign", "run", "--on", "me@board", "--stop", "--format", "json"];
        command.args(arguments).args(options).stdin(Stdio::null()).output().expect("runs")
    }

    /// How often each item was recorded as it ended, here or there.
    fn records(&self, plan: &Path) -> Vec<(String, Outcome)> {
        let log = ProgressLog::read(plan).expect("reads");
        assert!(log.damage.is_clean(), "{:?}", log.damage);
        log.records.into_iter().map(|record| (record.item, record.outcome)).collect()
    }

    fn wait_for_a_record(&self) {
        until("an item is measured", || {
            let campaigns = self.path("home/.layerjoule/campaigns");
            let folders = fs::read_dir(campaigns).into_iter().flatten().flatten();
            folders
                .into_iter()
                .any(|folder| ProgressLog::read(&folder.path().join("plan")).is_ok_and(|log| !log.records.is_empty()))
        });
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "still not: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().expect("runs").success());
}

/// The files below a folder with their content, those of a path that begins with a dot left out.
fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<(PathBuf, Vec<u8>)> = walkdir::WalkDir::new(folder)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| (entry.path().strip_prefix(folder).expect("below").to_owned(), entry.into_path()))
        .filter(|(name, _)| !name.iter().any(|part| part.to_string_lossy().starts_with('.')))
        .map(|(name, path)| (name, fs::read(path).expect("reads")))
        .collect();
    files.sort();
    files
}

#[test]
fn a_plan_is_measured_on_the_board_and_comes_back_and_again_copies_nothing() {
    let bench = Bench::new(&["a", "broken", "b"], 0.1);
    let report = bench.done(&[], &["--simulate-fast"]);
    assert_eq!(
        (report["items"].as_u64(), report["done"].as_u64(), report["left"].as_u64()),
        (Some(3), Some(2), Some(0))
    );
    assert_eq!((&report["faults"][0]["item"], &report["faults"][0]["outcome"]), (&"broken".into(), &"failed".into()));
    let there = bench.there();
    // All of it is here, as it is there; and nothing of the session runs on.
    assert_eq!(tree(&bench.plan().join("runs")), tree(&there.join("plan/runs")));
    assert_eq!(
        fs::read(bench.plan().join(PROGRESS_FILE)).expect("here"),
        fs::read(there.join("plan").join(PROGRESS_FILE)).expect("there")
    );
    let free =
        Command::new("flock").arg("-n").arg(there.join("session.lock")).arg("true").status().expect("flock runs");
    assert!(free.success(), "the session holds its lock");
    // Nothing is left to be done, so that the agent is not even started, and nothing is copied.
    let before = fs::metadata(there.join("session.exit")).expect("an exit code").modified().expect("a time");
    let again = bench.done(&[], &["--simulate-fast"]);
    assert_eq!((again["done"].as_u64(), again["fetched_files"].as_u64()), (Some(2), Some(0)), "{again}");
    assert_eq!(fs::metadata(there.join("session.exit")).expect("an exit code").modified().expect("a time"), before);
    // What failed is measured again where that is asked for. What is damaged on one side is copied again.
    fs::copy(LENET, bench.plan().join("models/broken.json")).expect("copies");
    fs::write(there.join("plan/models/a.onnx"), "spoilt").expect("writes");
    fs::write(bench.plan().join("runs/a/manifest.json"), "spoilt").expect("writes");
    let retried = bench.done(&["--retry-failed"], &["--simulate-fast"]);
    assert_eq!((retried["done"].as_u64(), retried["faults"].as_array().map(Vec::len)), (Some(3), Some(0)), "{retried}");
    assert_eq!(fs::read_to_string(there.join("plan/models/a.onnx")).expect("reads"), "not looked at: a");
    assert_eq!(tree(&bench.plan().join("runs")), tree(&there.join("plan/runs")));
    // Every call was one that asks for no password, with the host behind the end of options.
    let calls = fs::read_to_string(bench.path("calls")).expect("reads");
    assert!(
        calls
            .lines()
            .filter(|line| line.starts_with("-o"))
            .all(|line| line.contains("-o BatchMode=yes") && line.contains(" -- me@board "))
    );
}

#[test]
fn a_connection_that_breaks_is_made_again_and_the_session_goes_on() {
    let bench = Bench::new(&["a", "b", "c"], 0.4);
    fs::write(bench.path("break"), "").expect("writes");
    let output = bench.run(&[], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("the connection broke (Connection to board closed"), "{}", said(&output));
    assert!(!bench.path("break").exists());
    // One session, no line twice.
    for id in ["a", "b", "c"] {
        assert_eq!(
            said(&output).lines().filter(|line| line.ends_with(&format!("left: {id}"))).count(),
            1,
            "{}",
            said(&output)
        );
    }
    let expected = ["a", "b", "c"].map(|id| (id.to_owned(), Outcome::Done));
    assert_eq!(bench.records(&bench.plan()), expected);
}

#[test]
fn runs_whose_copying_breaks_off_are_copied_again() {
    let bench = Bench::new(&["a"], 0.4);
    fs::write(bench.path("break-reading"), "1\n2\n").expect("writes");
    let output = bench.run(&[], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let broke = said(&output).matches("the connection broke while runs are fetched").count();
    assert_eq!(broke, 2, "{}", said(&output));
    assert_eq!(bench.records(&bench.plan()), [("a".to_owned(), Outcome::Done)]);
}

#[test]
fn killed_the_same_command_follows_the_session_that_runs() {
    let bench = Bench::new(&["a", "b", "c"], 0.6);
    let mut first = bench.command(&[], &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    bench.wait_for_a_record();
    first.kill().expect("kills");
    first.wait().expect("waits");
    let output = bench.run(&[], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("a session runs already"), "{}", said(&output));
    assert_eq!(bench.records(&bench.plan()), ["a", "b", "c"].map(|id| (id.to_owned(), Outcome::Done)));
}

#[test]
fn ctrl_c_leaves_the_session_and_stop_ends_it() {
    let bench = Bench::new(&["a", "b", "c", "d", "e", "f"], 1.0);
    let first = bench.command(&[], &[]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
    bench.wait_for_a_record();
    signal(&first, "-INT");
    let left = first.wait_with_output().expect("waits");
    assert_eq!(left.status.code(), Some(130), "{}", said(&left));
    assert!(said(&left).contains("the agent goes on on me@board") && said(&left).contains("--stop"), "{}", said(&left));
    let stopped = bench.stop(&[]);
    assert_eq!(stopped.status.code(), Some(0), "{}", said(&stopped));
    let report: Value = serde_json::from_slice(&stopped.stdout).expect("a report");
    let done = report["done"].as_u64().expect("a number");
    assert!((1..6).contains(&done) && report["left"].as_u64() == Some(6 - done), "{report}");
    assert_eq!(fs::read_to_string(bench.there().join("session.exit")).expect("reads").trim(), "130");
    // Again: nothing runs, nothing is new.
    let again = bench.stop(&[]);
    assert!(said(&again).contains("no session runs") && again.status.success(), "{}", said(&again));
    // The same command goes on, and says how the one before ended.
    let output = bench.run(&[], &["--simulate-fast"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("the session before ended with code 130"), "{}", said(&output));
    assert_eq!(bench.records(&bench.plan()).len(), 6);
}

#[test]
fn a_session_that_was_cut_off_begins_again() {
    let bench = Bench::new(&["a", "b", "c"], 0.6);
    let child = bench.command(&[], &[]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
    bench.wait_for_a_record();
    // As a power cut: all of it ends at once, without an exit code.
    let script = fs::read_to_string(bench.there().join("session.pid")).expect("reads");
    let parent = fs::read_to_string(format!("/proc/{}/stat", script.trim())).expect("the agent runs");
    let parent =
        parent.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)).expect("its parent").to_owned();
    assert!(Command::new("kill").args(["-KILL", &parent, script.trim()]).status().expect("runs").success());
    let output = child.wait_with_output().expect("waits");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("the session was cut off"), "{}", said(&output));
    assert_eq!(bench.records(&bench.plan()), ["a", "b", "c"].map(|id| (id.to_owned(), Outcome::Done)));
}

#[test]
fn what_fails_on_the_board_is_told_and_what_was_measured_is_here() {
    let bench = Bench::new(&["a", "b"], 0.1);
    // The agent fails, with the exit code of its failure.
    let output = bench.run(&[], &["--simulate-fast", "--no-such-option"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("error: the agent on me@board: unexpected argument"), "{}", said(&output));
    // A disk that is full while the plan arrives.
    let bench = Bench::new(&["a", "b"], 0.1);
    program(
        &bench.path("board-bin/tar"),
        "#!/bin/sh\necho 'tar: models/a.json: Cannot write: No space left on device' >&2\nexit 2\n",
    );
    let output = bench.run(&[], &["--simulate-fast"]);
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert!(
        said(&output).contains("me@board: the plan cannot be copied: tar: models/a.json: Cannot write: No space"),
        "{}",
        said(&output)
    );
    assert!(!bench.there().join("session.pid").exists(), "nothing was started");
    // One that says nothing is found by checksums.
    program(&bench.path("board-bin/tar"), "#!/bin/sh\ncat >/dev/null\n");
    let output = bench.run(&[], &["--simulate-fast"]);
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert!(said(&output).contains("did not arrive as it was sent"), "{}", said(&output));
    fs::remove_file(bench.path("board-bin/tar")).expect("removes");
    // Files that change on the way back are not taken.
    program(
        &bench.path("board-bin/cat"),
        "#!/bin/sh\ncase $1 in *manifest.json) /bin/cat \"$1\" | tr a b ;; *) exec /bin/cat \"$@\" ;; esac\n",
    );
    let output = bench.run(&[], &["--simulate-fast"]);
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert!(said(&output).contains("does not have the checksum"), "{}", said(&output));
    assert!(!bench.plan().join(PROGRESS_FILE).exists(), "the log says nothing of runs that are not here");
    fs::remove_file(bench.path("board-bin/cat")).expect("removes");
    assert_eq!(bench.done(&[], &["--simulate-fast"])["done"].as_u64(), Some(2));
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_copied() {
    let bench = Bench::new(&["a"], 0.1);
    let refused = |change: &mut dyn FnMut(&mut Command), code: i32, says: &str| {
        let mut command = bench.command(&["--patience", "0s"], &[]);
        change(&mut command);
        let output = command.output().expect("runs");
        assert_eq!(output.status.code(), Some(code), "{says}: {}", said(&output));
        assert!(said(&output).contains(says), "{}", said(&output));
        assert!(!bench.path("home/.layerjoule/campaigns").exists() || !bench.there().join("session.sh").exists());
    };
    let other = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
        command.current_dir(bench.folder.path()).args(["campaign", "run"]).args(arguments).output().expect("runs")
    };
    for host in ["-oProxyCommand=touch x", "me@-oX", "a b"] {
        let output = other(&[&format!("--on={host}")]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains("does not name a machine"), "{}", said(&output));
    }
    let without_ssh = &mut |command: &mut Command| {
        command.env("PATH", "/nonexistent");
    };
    refused(without_ssh, 5, "there is no program `ssh` here");
    fs::write(bench.path("unreachable"), "").expect("writes");
    refused(&mut |_| (), 5, "Connection refused");
    fs::remove_file(bench.path("unreachable")).expect("removes");
    // An agent of another processor, and none at all.
    program(&bench.path("board-bin/uname"), "#!/bin/sh\necho Linux aarch64\n");
    refused(&mut |_| (), 3, "is a program for x86_64, and the board is aarch64");
    let mut command = Command::new(env!("CARGO_BIN_EXE_host-trainer"));
    let path = format!("{}:{}", bench.path("bin").display(), std::env::var("PATH").unwrap_or_default());
    command.current_dir(bench.folder.path()).env("PATH", path).env("TEST", bench.folder.path());
    program(&bench.path("board-bin/uname"), "#!/bin/sh\necho Linux riscv64\n");
    let output = command.args(["campaign", "run", "--on", "me@board"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(
        said(&output).contains("there is no jetson-agent for riscv64") && said(&output).contains("build-aarch64.sh"),
        "{}",
        said(&output)
    );
    program(&bench.path("board-bin/uname"), "#!/bin/sh\necho Darwin arm64\n");
    refused(&mut |_| (), 4, "the agent needs Linux");
    // A shell that greets.
    program(&bench.path("board-bin/uname"), "#!/bin/sh\necho Linux x86_64\necho Welcome\n");
    refused(&mut |_| (), 5, "prints more than it was asked for");
}

#[test]
fn a_plan_that_was_measured_elsewhere_is_not_written_over() {
    let bench = Bench::new(&["a", "b"], 0.1);
    bench.done(&[], &["--simulate-fast"]);
    // As if the board had forgotten what is here.
    fs::remove_file(bench.there().join("plan").join(PROGRESS_FILE)).expect("removes");
    let before = fs::read(bench.plan().join(PROGRESS_FILE)).expect("reads");
    let output = bench.run(&["--retry-failed"], &["--simulate-fast"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("measured elsewhere too"), "{}", said(&output));
    assert_eq!(fs::read(bench.plan().join(PROGRESS_FILE)).expect("reads"), before);
}

#[test]
fn a_folder_with_another_plan_is_refused() {
    let (bench, other) = (Bench::new(&["a"], 0.1), Bench::new(&["b"], 0.1));
    let place = ["--board-dir", "~/mine"];
    assert_eq!(bench.done(&place, &["--simulate-fast"])["done"].as_u64(), Some(1));
    assert!(bench.path("home/mine/plan/runs/a/manifest.json").exists());
    fs::remove_dir_all(bench.plan()).expect("removes");
    fs::rename(other.plan(), bench.plan()).expect("renames");
    let output = bench.run(&place, &["--simulate-fast"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("has another plan in"), "{}", said(&output));
    assert_eq!(bench.stop(&place).status.code(), Some(2));
    assert!(!bench.plan().join("runs").exists());
}

#[test]
fn root_is_asked_for_by_sudo_alone() {
    let bench = Bench::new(&["a"], 0.1);
    program(
        &bench.path("board-bin/sudo"),
        "#!/bin/sh\necho \"$*\" >>\"$TEST/sudo\"\necho 'sudo: a password is required' >&2\nexit 1\n",
    );
    let output = bench.run(&["--sudo"], &["--simulate-fast"]);
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert!(
        said(&output).contains("a password is required") && said(&output).contains("at a terminal"),
        "{}",
        said(&output)
    );
    program(
        &bench.path("board-bin/sudo"),
        "#!/bin/sh\necho \"$*\" >>\"$TEST/sudo\"\n[ \"$1\" = -n ] && shift\nexec \"$@\"\n",
    );
    assert_eq!(bench.done(&["--sudo"], &["--simulate-fast"])["done"].as_u64(), Some(1));
    let asked = fs::read_to_string(bench.path("sudo")).expect("reads");
    assert!(asked.lines().all(|line| line.starts_with("-n ")), "{asked}");
}

/// `script` gives a command a terminal. The password goes to the program on the board that asks for it, and nowhere else.
#[test]
fn at_a_terminal_sudo_asks_itself() {
    let bench = Bench::new(&["a"], 0.1);
    let sudo = "#!/bin/sh\necho \"$*\" >>\"$TEST/sudo\"\n[ \"$1\" = -p ] || exit 1\nprintf '%s' \"$2\" >/dev/tty\nread -r word </dev/tty\n\
                [ \"$word\" = hunter2 ] || { echo 'sudo: 1 incorrect password attempt' >&2; exit 1; }\nshift 2\nexec \"$@\"\n";
    program(&bench.path("board-bin/sudo"), sudo);
    let inner = bench.command(&["--sudo"], &["--simulate-fast"]);
    let words: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    let mut command = Command::new("script");
    command.args(["-qec", &words.join(" "), "/dev/null"]).current_dir(bench.folder.path());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script runs");
    let mut input = child.stdin.take().expect("a pipe");
    until("sudo asks", || bench.path("sudo").exists());
    std::io::Write::write_all(&mut input, b"hunter2\n").expect("writes");
    let output = child.wait_with_output().expect("waits");
    drop(input);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}");
    assert!(shown.contains("[sudo on me@board] password of"), "{shown}");
    assert_eq!(bench.records(&bench.plan()), [("a".to_owned(), Outcome::Done)]);
    for file in ["sudo", "calls"] {
        assert!(!fs::read_to_string(bench.path(file)).expect("reads").contains("hunter2"), "{file}");
    }
}
