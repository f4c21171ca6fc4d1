//! The order of it: look at the board, copy, start, follow, fetch.

use super::files::{Fetched, Folders, fetch, has_no_other_plan, send, send_program, sums_of_plan};
use super::program;
use super::session::{Followed, Probe, Root, State, follow, probe, start, state, stop};
use super::ssh::{Host, Input, Ssh, SshError};
use shared::campaign::{CampaignPlan, Outcome, PLAN_FILE, ProgressLog};
use shared::digest::sha256_file;
use shared::failure::{Failure, Kind};
use std::io::IsTerminal;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Version of [`BoardReport`] as a document.
const SCHEMA_VERSION: u32 = 1;
/// Where campaigns lie on a board, from the home folder.
const CAMPAIGNS: &str = ".layerjoule/campaigns";
/// The agent in a campaign's folder.
const AGENT: &str = "bin/jetson-agent";
/// Digits of the plan's checksum in the folder's name.
const DIGITS: usize = 12;
/// How often a session is started again that was cut off without an exit code: the board lost power, or somebody killed it.
const RESTARTS: u32 = 3;
/// Waits between attempts to reach the board again, the first and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Longer than an attempt to connect takes: what lasted longer was a connection.
const A_CONNECTION: Duration = Duration::from_secs(60);
/// How long an agent that was asked to end may take to end its cycle, seal the run and restore the board's mode.
const ENDING: Duration = Duration::from_secs(180);

/// A campaign on a board.
#[derive(Debug)]
pub struct BoardRun<'a> {
    /// The plan's folder here, into which the runs come.
    pub plan: &'a Path,
    /// The board.
    pub host: &'a Host,
    /// The campaign's folder there, absolute or from the home folder; none takes one below `.layerjoule`, named after the plan.
    pub folder: Option<&'a str>,
    /// The agent for the board; none looks beside this program and in target folders.
    pub agent: Option<&'a Path>,
    /// Options of `jetson-agent campaign`.
    pub options: &'a [String],
    /// Whether items that failed are measured again, which the options say too.
    pub retries_failed: bool,
    /// Whether the agent runs as root, by `sudo`.
    pub sudo: bool,
    /// How long a board that is out of reach is waited for.
    pub patience: Duration,
    /// Becomes true when the user asks for an end. The session on the board goes on.
    pub interrupted: &'a AtomicBool,
}

/// What there is to say meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A step of the way.
    Step(String),
    /// What the user should know.
    Warning(String),
    /// A line of the agent.
    Agent(String),
    /// So many files of those that are fetched are here.
    Fetched {
        /// Files that are here.
        done: u64,
        /// All of them.
        all: u64,
    },
}

/// An item that is not measured.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct BoardFault {
    /// The power mode; none as the board stands.
    pub mode: Option<String>,
    /// The item.
    pub item: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: String,
}

/// What a plan's folder holds after its runs were fetched.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct BoardReport {
    /// Version of this document.
    pub schema_version: u32,
    /// The board.
    pub host: String,
    /// The campaign's folder there.
    pub folder: String,
    /// Items of the plan, in all modes.
    pub items: usize,
    /// Those of which there is a complete run.
    pub done: usize,
    /// Those that were neither measured nor tried.
    pub left: usize,
    /// Files that were copied back by this call.
    pub fetched_files: u64,
    /// Their size.
    pub fetched_bytes: u64,
    /// Items that failed or were skipped.
    pub faults: Vec<BoardFault>,
}

impl BoardRun<'_> {
    /// Copies what the board lacks, runs the agent there and follows it, and fetches what was measured. Where it finds a session that
    /// runs, it follows that one; where an earlier one was cut off, the next goes on from there. The failure in the answer is that of
    /// the session on the board: what it measured before is here all the same.
    ///
    /// # Errors
    /// When the plan cannot be read, the board cannot be reached or used, a copy fails, or the user asks for an end.
    pub fn measure(&self, say: &mut dyn FnMut(Said)) -> Result<(BoardReport, Option<Failure>), Failure> {
        let plan = CampaignPlan::read(self.plan)?;
        let ssh = Ssh { host: self.host, interrupted: self.interrupted };
        let found = probe(&ssh, &self.folder()?)?;
        let folders = Folders { here: self.plan, there: &found.folder };
        self.refuse_another_plan(&ssh, folders)?;
        let mut fetched = Fetched::default();
        let at = |e: SshError| e.failure(self.host, "the session cannot be asked for");
        let runs = match state(&ssh, &found.folder).map_err(at)? {
            State::Running => {
                let message = "a session runs already, with the options that it was started with";
                say(Said::Step(format!("{}: {message}", self.host)));
                true
            }
            before => {
                if let State::Ended(code @ 1.., error) = before {
                    let why = error.map_or_else(|| format!("code {code}"), |error| format!("code {code}: {error}"));
                    say(Said::Warning(format!("{}: the session before ended with {why}", self.host)));
                }
                self.fetch(&ssh, folders, &mut fetched, say)?;
                let is_left = !self.is_all_measured(&plan)?;
                if is_left {
                    self.copy(&ssh, &plan, &found, folders, say)?;
                    self.begin(&ssh, &found, say)?;
                } else {
                    say(Said::Step("all items are measured".to_owned()));
                }
                is_left
            }
        };
        let mut failure = None;
        if runs {
            failure = self.follow_to_the_end(&ssh, &found, say)?;
            self.fetch(&ssh, folders, &mut fetched, say)?;
        }
        Ok((self.report(&plan, &found, fetched)?, failure))
    }

    /// Ends the session on the board as Ctrl-C would, and fetches what was measured.
    ///
    /// # Errors
    /// When the board cannot be reached, the session cannot be ended, or the copy fails.
    pub fn stop(&self, say: &mut dyn FnMut(Said)) -> Result<BoardReport, Failure> {
        let plan = CampaignPlan::read(self.plan)?;
        let ssh = Ssh { host: self.host, interrupted: self.interrupted };
        let folder = self.folder()?;
        let now = state(&ssh, &folder).map_err(|e| e.failure(self.host, "the session cannot be asked for"))?;
        if now != State::Absent {
            self.refuse_another_plan(&ssh, Folders { here: self.plan, there: &folder })?;
        }
        match now {
            State::Absent => {
                return Err(
                    Failure::usage(format!("{} has no campaign of this plan in {folder}", self.host)).at(self.plan)
                );
            }
            State::Running => {
                say(Said::Step(format!(
                    "{}: ending the cycle, sealing the run, restoring the board's mode",
                    self.host
                )));
                if !stop(&ssh, &folder, self.root(), ENDING)? {
                    let message = format!("{}: the session still ends after {} s", self.host, ENDING.as_secs());
                    return Err(Failure::device(message).help("the same command waits for it again"));
                }
            }
            State::Ended(..) | State::CutOff => say(Said::Step(format!("{}: no session runs", self.host))),
        }
        let found = probe(&ssh, &folder)?;
        let mut fetched = Fetched::default();
        self.fetch(&ssh, Folders { here: self.plan, there: &found.folder }, &mut fetched, say)?;
        self.report(&plan, &found, fetched)
    }

    /// Refuses a folder of the user's own choice that has another plan, whose runs would get between those of this one.
    fn refuse_another_plan(&self, ssh: &Ssh, folders: Folders) -> Result<(), Failure> {
        if self.folder.is_none() || has_no_other_plan(ssh, folders)? {
            return Ok(());
        }
        Err(Failure::usage(format!("{} has another plan in {}", self.host, folders.there))
            .at(self.plan)
            .help("name another folder with --board-dir, or move that one away"))
    }

    /// The campaign's folder on the board: the plan's name and checksum keep the campaigns of several plans apart.
    fn folder(&self) -> Result<String, Failure> {
        if let Some(folder) = self.folder {
            // Quoted words are not expanded over there, and a session begins at home.
            return Ok(folder.strip_prefix("~/").unwrap_or(folder).to_owned());
        }
        let sum = sha256_file(&self.plan.join(PLAN_FILE))?;
        let absolute = self.plan.canonicalize().map_err(|e| Failure::io(self.plan, "find", &e))?;
        let name = absolute.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(40).collect();
        Ok(format!("{CAMPAIGNS}/{}-{}", plain.trim_start_matches(['.', '-']), &sum[..DIGITS]))
    }

    fn root(&self) -> Root {
        match self.sudo {
            false => Root::No,
            true if std::io::stdin().is_terminal() => Root::Ask,
            true => Root::Quiet,
        }
    }

    /// The agent and the plan, as far as the board lacks them; and whether the agent runs there.
    fn copy(
        &self,
        ssh: &Ssh,
        plan: &CampaignPlan,
        found: &Probe,
        folders: Folders,
        say: &mut dyn FnMut(Said),
    ) -> Result<(), Failure> {
        let wrong = |e: std::io::Error| Failure::new(Kind::Io, format!("this program or folder cannot be found: {e}"));
        let program = std::env::current_exe().map_err(wrong)?;
        let here = std::env::current_dir().map_err(wrong)?;
        let agent = program::find(self.agent, &found.machine, &program, &here)?;
        let sums = sums_of_plan(self.plan, plan)?;
        say(Said::Step(format!("{} ({}): {}", self.host, found.machine, found.folder)));
        if send_program(ssh, &found.folder, &agent, AGENT)? {
            say(Said::Step(format!("copied {}", agent.display())));
        }
        let version = ssh.answer(r#"cd "$1" && "./$2" --version"#, &[&found.folder, AGENT], Input::Nothing);
        version.map_err(|e| {
            let failure = e.failure(self.host, "the agent does not run there");
            let built = "a board with an older system needs `scripts/build-aarch64.sh --glibc 2.27`";
            if failure.kind == Kind::Interrupted { failure } else { failure.help(built) }
        })?;
        match send(ssh, folders, &sums)? {
            0 => {}
            files => say(Said::Step(format!("copied {files} files of the plan"))),
        }
        Ok(())
    }

    fn begin(&self, ssh: &Ssh, found: &Probe, say: &mut dyn FnMut(Said)) -> Result<(), Failure> {
        if start(ssh, &found.folder, self.options, self.root())? {
            say(Said::Step(format!(
                "the agent runs on {}, with or without a connection; its log is {}/session.log there",
                self.host, found.folder
            )));
        } else {
            say(Said::Step(format!("{}: another session has begun meanwhile", self.host)));
        }
        Ok(())
    }

    /// Follows the session until it has ended; how it failed, if it did. A lost connection is made again, and a session that was cut
    /// off begins again.
    fn follow_to_the_end(
        &self,
        ssh: &Ssh,
        found: &Probe,
        say: &mut dyn FnMut(Said),
    ) -> Result<Option<Failure>, Failure> {
        let (mut from, mut restarts) = (0, 0);
        let (mut error, mut hint) = (None, None);
        let mut lost: Option<Outage> = None;
        loop {
            let began = Instant::now();
            let followed = follow(ssh, &found.folder, &mut from, &mut |line| {
                lost = None;
                if let Some(text) = line.strip_prefix("error: ") {
                    (error, hint) = (Some(text.to_owned()), None);
                } else if let Some(text) = line.strip_prefix("hint: ") {
                    hint = Some(text.to_owned());
                }
                say(Said::Agent(line.to_owned()));
            });
            let now = match followed.map_err(|failure| self.goes_on(failure))? {
                Followed::Over => state(ssh, &found.folder),
                Followed::Lost(said) => Err(SshError::Connection(said)),
            };
            match now {
                Ok(State::Running) => {}
                Ok(State::Ended(0, _)) => return Ok(None),
                Ok(State::Ended(code, last)) => {
                    return Ok(Some(self.failure(code, error.or(last), hint)));
                }
                Ok(State::Absent) => {
                    return Err(Failure::device(format!("{} no longer has {}", self.host, found.folder))
                        .help("the same command copies the plan again and measures it from the beginning"));
                }
                Ok(State::CutOff) if restarts < RESTARTS => {
                    restarts += 1;
                    say(Said::Warning(format!("{}: the session was cut off; it goes on from there", self.host)));
                    self.begin(ssh, found, say)?;
                    from = 0;
                }
                Ok(State::CutOff) => {
                    let message = format!("{}: the session was cut off {} times", self.host, RESTARTS + 1);
                    return Err(Failure::device(message).help(
                        "look for what ends it (power, memory, a service that ends sessions); the same command goes on",
                    ));
                }
                Err(SshError::Connection(said)) => {
                    // It was there in between, although the agent had nothing to say.
                    lost = lost.filter(|_| began.elapsed() < A_CONNECTION);
                    if lost.is_none() {
                        say(Said::Warning(format!(
                            "{}: the connection broke ({said}); the agent goes on there, and this program tries again",
                            self.host
                        )));
                    }
                    let outage = lost.get_or_insert_with(Outage::begin);
                    if !outage.wait(ssh, self.patience).map_err(|failure| self.goes_on(failure))? {
                        let message = format!("{} is out of reach: {said}", self.host);
                        return Err(Failure::new(Kind::Io, message)
                            .help("the agent goes on there; the same command follows it again"));
                    }
                }
                Err(other) => return Err(self.goes_on(other.failure(self.host, "the session cannot be asked for"))),
            }
        }
    }

    /// A failure of this side while the session runs.
    fn goes_on(&self, failure: Failure) -> Failure {
        if failure.kind != Kind::Interrupted {
            return failure;
        }
        let help = "the same command follows it again; with --stop, it ends it and fetches what was measured";
        Failure::new(Kind::Interrupted, format!("not followed any more: the agent goes on on {}", self.host)).help(help)
    }

    /// The failure that a session ended with, of the kind that its exit code names.
    fn failure(&self, code: i32, error: Option<String>, hint: Option<String>) -> Failure {
        let kind = match code {
            1 => Kind::AnswerIsNo,
            2 => Kind::Usage,
            3 => Kind::Data,
            5 => Kind::Io,
            130 => Kind::Interrupted,
            _ => Kind::Device,
        };
        let said = error.unwrap_or_else(|| format!("it ended with code {code}"));
        Failure::new(kind, format!("the agent on {}: {said}", self.host))
            .help(hint.unwrap_or_else(|| "the same command goes on from here".to_owned()))
    }

    fn fetch(
        &self,
        ssh: &Ssh,
        folders: Folders,
        fetched: &mut Fetched,
        say: &mut dyn FnMut(Said),
    ) -> Result<(), Failure> {
        let mut new = Fetched::default();
        let mut lost: Option<Outage> = None;
        loop {
            let before = new.files;
            match fetch(ssh, folders, &mut new, &mut |done, all| say(Said::Fetched { done, all })) {
                Ok(()) => break,
                Err(SshError::Connection(said)) => {
                    // What has come shows that the connection was there in between.
                    lost = lost.filter(|_| new.files == before);
                    let message = "the connection broke while runs are fetched";
                    say(Said::Warning(format!("{}: {message} ({said}); this program tries again", self.host)));
                    if !lost.get_or_insert_with(Outage::begin).wait(ssh, self.patience)? {
                        return Err(SshError::Connection(said).failure(self.host, "the runs cannot be fetched"));
                    }
                }
                Err(other) => return Err(other.failure(self.host, "the runs cannot be fetched")),
            }
        }
        if new.files > 0 {
            let mib = new.bytes as f64 / f64::from(1 << 20);
            say(Said::Step(format!("fetched {} files, {mib:.1} MiB, into {}", new.files, self.plan.display())));
        }
        *fetched = Fetched { files: fetched.files + new.files, bytes: fetched.bytes + new.bytes };
        Ok(())
    }

    /// Whether a session would find nothing to do.
    fn is_all_measured(&self, plan: &CampaignPlan) -> Result<bool, Failure> {
        let log = ProgressLog::read(self.plan)?;
        let latest = log.latest();
        let is_over = |outcome: Outcome| match outcome {
            Outcome::Done => true,
            Outcome::Failed => !self.retries_failed,
            Outcome::Skipped => false,
        };
        let mut all = plan.modes().into_iter().flat_map(|mode| plan.items.iter().map(move |item| (mode, &item.id[..])));
        Ok(all.all(|key| latest.get(&key).is_some_and(|record| is_over(record.outcome))))
    }

    fn report(&self, plan: &CampaignPlan, found: &Probe, fetched: Fetched) -> Result<BoardReport, Failure> {
        let log = ProgressLog::read(self.plan)?;
        let latest = log.latest();
        let (mut items, mut done, mut faults) = (0, 0, Vec::new());
        for mode in plan.modes() {
            for item in &plan.items {
                items += 1;
                match latest.get(&(mode, item.id.as_str())) {
                    None => {}
                    Some(record) if record.outcome == Outcome::Done => done += 1,
                    Some(record) => faults.push(BoardFault {
                        mode: record.mode.clone(),
                        item: record.item.clone(),
                        outcome: record.outcome,
                        reason: record.reason.clone().unwrap_or_default(),
                    }),
                }
            }
        }
        Ok(BoardReport {
            schema_version: SCHEMA_VERSION,
            host: self.host.to_string(),
            folder: found.folder.clone(),
            items,
            done,
            left: items - done - faults.len(),
            fetched_files: fetched.files,
            fetched_bytes: fetched.bytes,
            faults,
        })
    }
}

/// A board that is out of reach.
struct Outage {
    since: Instant,
    next: Duration,
}

impl Outage {
    fn begin() -> Self {
        Self { since: Instant::now(), next: FIRST_WAIT }
    }

    /// Waits before the next try, longer each time; false where that would take longer than `patience`.
    ///
    /// # Errors
    /// When the user asks for an end.
    fn wait(&mut self, ssh: &Ssh, patience: Duration) -> Result<bool, Failure> {
        if self.since.elapsed() + self.next > patience {
            return Ok(false);
        }
        let until = Instant::now() + self.next;
        while Instant::now() < until {
            if ssh.is_interrupted() {
                return Err(Failure::new(Kind::Interrupted, "interrupted").help("the same command goes on from here"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.next = (self.next * 2).min(LONGEST_WAIT);
        Ok(true)
    }
}
