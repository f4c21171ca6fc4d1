//! Files there and back. What is there already, by its checksum, is not copied again; what was copied is checked.

use super::ssh::{Host, Input, Ssh, SshError};
use shared::campaign::{CampaignPlan, PLAN_FILE, PROGRESS_FILE, ProgressLog};
use shared::digest::{Hasher, sha256_file};
use shared::failure::{Failure, Kind, printable};
use shared::fs::write_atomic_with;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Component, Path};
use std::process::{Command, Stdio};
use std::thread;

/// SHA-256 in hexadecimal by path, relative to the plan's folder, with `/`.
pub(super) type Sums = BTreeMap<String, String>;

/// What a session leaves that is wanted here. `parts` is left there: the models in it can be made again from the plan's.
const RESULTS: [&str; 3] = ["runs", "steady", PROGRESS_FILE];
/// The board's folder of the plan, in that of the campaign.
const PLAN: &str = "plan";

/// Checksums of files below the plan's folder there. Engines stay there, since they run nowhere else; so does what was cut off and set
/// aside, and what is not finished, whose names begin with a dot.
const LIST: &str = r#"[ -d "$1" ] || exit 0; cd "$1" && shift && for p; do [ ! -e "$p" ] || find "$p" -type f ! -path "*/.*" ! -name "*.engine" -exec sha256sum {} + || exit 1; done"#;
/// Files in the order asked for, each behind a line with its size.
const READ: &str = r#"cd "$1" && while IFS= read -r f; do wc -c <"$f" && cat "$f" || exit 1; done"#;
/// Takes an archive.
const TAKE: &str = r#"cd "$1" && tar -xf -"#;

/// What was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Fetched {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

impl Fetched {
    fn add(&mut self, bytes: u64) {
        *self = Self { files: self.files + 1, bytes: self.bytes + bytes };
    }
}

/// The folders of a campaign on both sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folders<'a> {
    /// The plan's, here.
    pub(super) here: &'a Path,
    /// The campaign's, there.
    pub(super) there: &'a str,
}

impl Folders<'_> {
    fn plan_there(&self) -> String {
        format!("{}/{PLAN}", self.there)
    }
}

/// Checksums of the files that a plan consists of, `plan.json` included.
///
/// # Errors
/// A file that cannot be read, or whose name does not survive a list of names.
pub(super) fn sums_of_plan(folder: &Path, plan: &CampaignPlan) -> Result<Sums, Failure> {
    let mut sums = Sums::new();
    let models = plan.items.iter().flat_map(|item| [item.onnx.as_str(), item.engine_info.as_str()]);
    for name in std::iter::once(PLAN_FILE).chain(models) {
        if !is_plain(name) {
            return Err(Failure::data(format!("the name `{name}` cannot be copied to a board")).at(folder));
        }
        if !sums.contains_key(name) {
            sums.insert(name.to_owned(), sha256_file(&folder.join(name))?);
        }
    }
    Ok(sums)
}

/// Whether the board's folder has this plan, or none.
///
/// # Errors
/// When the plan cannot be read, or the board cannot be reached.
pub(super) fn has_no_other_plan(ssh: &Ssh, folders: Folders) -> Result<bool, Failure> {
    let sum = sha256_file(&folders.here.join(PLAN_FILE))?;
    Ok(list(ssh, &folders.plan_there(), &[PLAN_FILE])?.get(PLAN_FILE).is_none_or(|there| *there == sum))
}

/// Copies what the board lacks of a plan; how many files.
///
/// # Errors
/// When the copy fails, or what is there afterwards is not what was sent.
pub(super) fn send(ssh: &Ssh, folders: Folders, sums: &Sums) -> Result<usize, Failure> {
    let missing = missing(ssh, folders, sums)?;
    if missing.is_empty() {
        return Ok(0);
    }
    archive(ssh, folders, &missing)?;
    // A break in the middle leaves a part of a file, which only its checksum shows.
    match self::missing(ssh, folders, sums)?.first() {
        None => Ok(missing.len()),
        Some(name) => Err(Failure::new(Kind::Io, format!("{}: {name} did not arrive as it was sent", ssh.host))
            .help("the same command sends it again; a disk that is full or worn out does this")),
    }
}

/// The files that are not there as they are here.
fn missing(ssh: &Ssh, folders: Folders, sums: &Sums) -> Result<Vec<String>, Failure> {
    let mut tops: Vec<&str> = sums.keys().map(|name| name.split('/').next().unwrap_or(name)).collect();
    tops.dedup();
    let there = list(ssh, &folders.plan_there(), &tops)?;
    Ok(sums.iter().filter(|(name, sum)| there.get(*name) != Some(sum)).map(|(name, _)| name.clone()).collect())
}

/// Sends files as one archive.
fn archive(ssh: &Ssh, folders: Folders, names: &[String]) -> Result<(), Failure> {
    let no_tar = |e: io::Error| Failure::new(Kind::Io, format!("`tar` cannot be run here: {e}")).caused_by(e);
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(folders.here).args(["--null", "-T", "-", "-cf", "-"]);
    let mut tar = tar.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(no_tar)?;
    let (input, archive) = (tar.stdin.take(), tar.stdout.take());
    // In front of a name that could be an option.
    let list: Vec<u8> = names.iter().flat_map(|name| format!("./{name}\0").into_bytes()).collect();
    let sent = thread::scope(|scope| {
        if let Some(mut input) = input {
            // A tar that ends early says why.
            scope.spawn(move || input.write_all(&list));
        }
        let pipe = Input::Pipe(archive.map_or_else(Stdio::null, Stdio::from));
        ssh.answer(TAKE, &[&folders.plan_there()], pipe)
    });
    if sent.is_err() {
        // It may be waiting for a reader that has gone.
        let _ = tar.kill();
    }
    let made = tar.wait_with_output().map_err(no_tar)?;
    sent.map_err(|e| e.failure(ssh.host, "the plan cannot be copied"))?;
    if made.status.success() {
        return Ok(());
    }
    let said = printable(String::from_utf8_lossy(&made.stderr).trim());
    Err(Failure::new(Kind::Io, format!("the plan cannot be packed: {said}")).at(folders.here))
}

/// Copies a file to the board as an executable program, unless it is there.
///
/// # Errors
/// When it cannot be read here or written there.
pub(super) fn send_program(ssh: &Ssh, there: &str, program: &Path, name: &str) -> Result<bool, Failure> {
    const HAVE: &str = r#"cd "$1" && [ ! -f "$2" ] || sha256sum "$2""#;
    const TAKE: &str = r#"cd "$1" && cat >"$2.part" && chmod 755 "$2.part" && mv "$2.part" "$2" && sha256sum "$2""#;
    let failed = |e: SshError| e.failure(ssh.host, &format!("{} cannot be copied", program.display()));
    let sum = sha256_file(program)?;
    if ssh.answer(HAVE, &[there, name], Input::Nothing).map_err(failed)?.starts_with(&sum) {
        return Ok(false);
    }
    let file = std::fs::File::open(program).map_err(|e| Failure::io(program, "read", &e))?;
    if ssh.answer(TAKE, &[there, name], Input::Pipe(Stdio::from(file))).map_err(failed)?.starts_with(&sum) {
        return Ok(true);
    }
    Err(Failure::new(Kind::Io, format!("{}: {} did not arrive as it was sent", ssh.host, program.display()))
        .help("the same command sends it again"))
}

/// Copies what the board has measured and this folder lacks. The log of progress comes last, so that what it says is done is here.
///
/// # Errors
/// When the copy fails, or the plan was measured elsewhere too; what was copied before is whole, stays, and is counted in `fetched`.
/// `done` gets how many files are here, and of how many.
pub(super) fn fetch(
    ssh: &Ssh,
    folders: Folders,
    fetched: &mut Fetched,
    done: &mut dyn FnMut(u64, u64),
) -> Result<(), SshError> {
    let there = try_list(ssh, &folders.plan_there(), &RESULTS)?;
    let mut wanted = Vec::new();
    for (name, sum) in &there {
        if !is_plain(name) || !RESULTS.contains(&name.split('/').next().unwrap_or_default()) {
            return Err(SshError::Here(unexpected(ssh.host, name)));
        }
        let path = folders.here.join(name);
        if !path.is_file() || sha256_file(&path).map_err(SshError::Here)? != *sum {
            wanted.push(name.as_str());
        }
    }
    let (logs, runs): (Vec<&str>, Vec<&str>) = wanted.iter().copied().partition(|name| *name == PROGRESS_FILE);
    // Compared before anything is written over.
    let log = logs.first().map(|name| fetch_log(ssh, folders, &there[*name])).transpose()?;
    if !there.contains_key(PROGRESS_FILE) {
        let here = ProgressLog::read(folders.here).map_err(SshError::Here)?;
        compare(ssh.host, &here, &ProgressLog::default(), folders).map_err(SshError::Here)?;
    }
    if !runs.is_empty() {
        let list = runs.iter().map(|name| format!("{name}\n")).collect::<String>().into_bytes();
        let arguments = [&folders.plan_there()[..]];
        ssh.exchange(READ, &arguments, Input::Bytes(list), |output| {
            let mut output = BufReader::new(output);
            for (number, name) in (1..).zip(&runs) {
                let Some(bytes) = receive(&mut output, &folders.here.join(name), &there[*name], ssh)? else {
                    return Ok(None);
                };
                fetched.add(bytes);
                done(number, runs.len() as u64);
            }
            Ok(Some(()))
        })?;
    }
    if let Some(content) = log {
        let path = folders.here.join(PROGRESS_FILE);
        write_atomic_with(&path, |file| file.write_all(&content)).map_err(SshError::Here)?;
        fetched.add(content.len() as u64);
    }
    Ok(())
}

/// One file of the stream into its place; its size. Nothing where the stream ends before it does.
fn receive(output: &mut impl BufRead, path: &Path, sum: &str, ssh: &Ssh) -> Result<Option<u64>, Failure> {
    let broken = |e: io::Error| Failure::new(Kind::Io, format!("{}: cannot read: {e}", ssh.host)).caused_by(e);
    let mut line = Vec::new();
    output.by_ref().take(32).read_until(b'\n', &mut line).map_err(broken)?;
    if !line.ends_with(b"\n") {
        return Ok(None);
    }
    let size = String::from_utf8_lossy(&line).trim().parse::<u64>();
    let size = size.map_err(|e| Failure::new(Kind::Io, format!("{}: an answer is not a size: {e}", ssh.host)))?;
    let (mut hasher, mut short) = (Hasher::default(), false);
    let written = write_atomic_with(path, |file| {
        let (mut left, mut buffer) = (size, vec![0; 64 << 10]);
        while left > 0 {
            let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = output.read(&mut buffer[..want])?;
            if count == 0 {
                short = true;
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            hasher.update(&buffer[..count]);
            file.write_all(&buffer[..count])?;
            left -= count as u64;
        }
        match hasher.clone().hex() == sum {
            true => Ok(()),
            false => Err(io::Error::other("what arrived does not have the checksum that it has on the board")),
        }
    });
    match written {
        Ok(()) => Ok(Some(size)),
        Err(_) if short => Ok(None),
        Err(failure) => Err(failure.help("the same command fetches it again")),
    }
}

/// The board's log of progress, which must go on from the one that is here.
fn fetch_log(ssh: &Ssh, folders: Folders, sum: &str) -> Result<Vec<u8>, SshError> {
    let scratch = tempfile::tempdir();
    let scratch = scratch.map_err(|e| SshError::Here(Failure::io(&std::env::temp_dir(), "make a folder in", &e)))?;
    let path = scratch.path().join(PROGRESS_FILE);
    let list = format!("{PROGRESS_FILE}\n").into_bytes();
    ssh.exchange(READ, &[&folders.plan_there()], Input::Bytes(list), |output| {
        receive(&mut BufReader::new(output), &path, sum, ssh)
    })?;
    let compared = || {
        compare(ssh.host, &ProgressLog::read(folders.here)?, &ProgressLog::read(scratch.path())?, folders)?;
        std::fs::read(&path).map_err(|e| Failure::io(&path, "read", &e))
    };
    compared().map_err(SshError::Here)
}

/// Refuses to write over a log that knows what the board does not.
fn compare(host: &Host, here: &ProgressLog, there: &ProgressLog, folders: Folders) -> Result<(), Failure> {
    if there.records.starts_with(&here.records) {
        return Ok(());
    }
    let message = format!("the plan was measured elsewhere too: its log has records that {host} does not have");
    Err(Failure::data(message).at(folders.here.join(PROGRESS_FILE)).help(format!(
        "use a copy of plan.json and models in a folder of its own for {host}, or copy this folder to {} there",
        folders.plan_there()
    )))
}

/// The board's checksums of all files below some names of a folder.
fn list(ssh: &Ssh, folder: &str, names: &[&str]) -> Result<Sums, Failure> {
    try_list(ssh, folder, names).map_err(|e| e.failure(ssh.host, "its files cannot be listed"))
}

/// As [`list`], for whoever can do something about a broken connection.
fn try_list(ssh: &Ssh, folder: &str, names: &[&str]) -> Result<Sums, SshError> {
    let arguments = [&[folder], names].concat();
    let answer = ssh.answer(LIST, &arguments, Input::Nothing)?;
    parse_sums(&answer).map_err(|line| SshError::Here(unexpected(ssh.host, line)))
}

/// What `sha256sum` prints; the first line that is not of its form, where there is one.
fn parse_sums(answer: &str) -> Result<Sums, &str> {
    let is_sum = |sum: &str| sum.len() == 64 && sum.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    let parse = |line| {
        // In front of a name that it changed stands a backslash, which no sum has.
        let (sum, name) = str::split_once(line, ' ').filter(|(sum, _)| is_sum(sum)).ok_or(line)?;
        Ok((name.trim_start_matches([' ', '*']).to_owned(), sum.to_owned()))
    };
    answer.lines().map(parse).collect()
}

fn unexpected(host: &Host, what: &str) -> Failure {
    let shown: String = what.chars().take(100).collect();
    Failure::new(Kind::Io, format!("{host}: the list of files has an unexpected line `{}`", printable(&shown))).help(
        "what a login shell prints without being asked does this: let its configuration be silent without a terminal",
    )
}

/// Whether a name is a path below a folder that a line of a list can hold, and none of those that lists leave out.
fn is_plain(name: &str) -> bool {
    let within = |part: Component| matches!(part, Component::Normal(part) if !part.to_string_lossy().starts_with('.'));
    let listed = !name.is_empty() && !name.ends_with(".engine");
    listed && Path::new(name).components().all(within) && !name.chars().any(|c| c.is_control() || c == '\\')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_list_from_a_board_is_read_or_refused(lines in prop::collection::vec("[0-9a-f]{62,65}[ *a]{1,3}.{0,20}|.{0,80}", 0..4)) {
            if let Ok(sums) = parse_sums(&lines.join("\n")) {
                prop_assert!(sums.values().all(|sum| sum.len() == 64));
            }
        }

        #[test]
        fn a_plain_name_leads_nowhere_else(name in "([a-c./\\\\\n -]{0,12}|.{0,12})") {
            if is_plain(&name) {
                let path = Path::new("/here").join(&name);
                prop_assert!(path.starts_with("/here") && path != Path::new("/here"));
                prop_assert!(!path.components().any(|part| part == Component::ParentDir));
                prop_assert_eq!(format!("{name}\n").lines().count(), 1);
            }
        }
    }

    #[test]
    fn what_sha256sum_prints_is_read() {
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let sums = parse_sums(&format!("{sum}  runs/a b/x.log\n{sum} *y\n")).expect("reads");
        assert_eq!(sums.keys().map(String::as_str).collect::<Vec<_>>(), ["runs/a b/x.log", "y"]);
        for line in [format!("\\{sum}  a\\nb"), "Welcome to Ubuntu".to_owned(), format!("{}  a", &sum[1..])] {
            assert_eq!(parse_sums(&line), Err(line.as_str()));
        }
    }

    #[test]
    fn names_stay_in_the_folder_and_on_their_line() {
        assert!(is_plain("runs/15W/a-0/a_power_log.log") && is_plain("models/é ü.onnx"));
        for name in ["", "../x", "/etc/passwd", "runs/../../x", "a\nb", "a\\b", "./a", "a/.b", "a.engine"] {
            assert!(!is_plain(name), "{name}");
        }
    }

    #[test]
    fn a_plan_names_each_of_its_files_once() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let text = r#"{"format_version": 1, "program": "t", "board": "cpu", "modes": [], "power": false, "time_s": 1, "seed": 1,
            "strategy": "plan", "expectation": {"layers": 0, "covered_before": 0, "covered_after": 0, "near_ratio": 1},
            "items": [{"id": "a", "kind": "network", "onnx": "models/a.onnx", "engine_info": "models/a.json", "precision": "fp32",
            "pass_s": 1, "inferences": 1, "expected_s": 1, "gain": 0, "held_out": false}]}"#;
        std::fs::create_dir(folder.path().join("models")).expect("creates");
        std::fs::write(folder.path().join(PLAN_FILE), text).expect("writes");
        std::fs::write(folder.path().join("models/a.onnx"), "abc").expect("writes");
        let mut plan = CampaignPlan::read(folder.path()).expect("reads");
        assert_eq!(sums_of_plan(folder.path(), &plan).expect_err("a file is missing").kind, Kind::Io);
        std::fs::write(folder.path().join("models/a.json"), "{}").expect("writes");
        let sums = sums_of_plan(folder.path(), &plan).expect("reads");
        assert_eq!(
            sums.keys().map(String::as_str).collect::<Vec<_>>(),
            ["models/a.json", "models/a.onnx", "plan.json"]
        );
        assert!(sums["models/a.onnx"].starts_with("ba7816bf"));
        plan.items[0].onnx = "models/a\nb".into();
        assert!(sums_of_plan(folder.path(), &plan).is_err());
    }
}
