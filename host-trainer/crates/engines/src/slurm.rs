//! Slurm: an array whose elements are workers.

use crate::choice::Resources;
use crate::command::{output, succeed};
use crate::copies::PROGRAM;
use crate::job::Job;
use shared::failure::Failure;
use std::collections::{BTreeMap, BTreeSet};

const MISSING: &str = "run this on a machine that submits to the cluster, or name another engine";

/// What Slurm runs for each element of the array. The folder is the working directory, which `sbatch --chdir` sets.
pub(crate) fn worker_script(job: &Job, resources: &Resources) -> String {
    let mut options = vec![
        format!("--job-name={}", job.label),
        "--requeue".to_owned(),
        "--open-mode=append".to_owned(),
        format!("--signal=B:TERM@{}", resources.grace_s),
        format!("--cpus-per-task={}", resources.cpus),
    ];
    options.extend(resources.memory_mib.map(|mib| format!("--mem={mib}M")));
    options.extend((resources.gpus > 0).then(|| format!("--gres=gpu:{}", resources.gpus)));
    options.extend(resources.time.as_ref().map(|time| format!("--time={time}")));
    options.extend(resources.partition.as_ref().map(|partition| format!("--partition={partition}")));
    options.extend(resources.account.as_ref().map(|account| format!("--account={account}")));
    let options: String = options.iter().map(|option| format!("#SBATCH {option}\n")).collect();
    format!(
        r#"#!/bin/bash
# A worker of this {noun}, started by Slurm for each element of an array. It takes {units} until none is left.
{options}set -u
if [ -x {PROGRAM} ]; then program=./{PROGRAM}; else program=${{HOST_TRAINER:-host-trainer}}; fi
"$program" {work} . {grace}"$@" &
worker=$!
# Slurm warns this shell before it ends the job; the worker then {stops}.
trap 'kill -TERM "$worker" 2>/dev/null' TERM
code=130
while kill -0 "$worker" 2>/dev/null; do
    wait "$worker"
    code=$?
done
# A worker that was told to stop leaves {units}: this element runs again later.
if [ "$code" = 130 ] && [ -n "${{SLURM_JOB_ID:-}}" ]; then scontrol requeue "$SLURM_JOB_ID" || true; fi
exit "$code"
"#,
        noun = job.family.noun,
        units = job.family.units,
        work = job.family.work.join(" "),
        grace = job.grace(resources).iter().map(|word| format!("{word} ")).collect::<String>(),
        stops = job.family.stops,
    )
}

/// Submits workers as an array; the job's number.
pub(crate) fn submit(job: &Job, workers: u64, throttle: Option<u64>, arguments: &[String]) -> Result<String, Failure> {
    let root = job.root()?;
    let limit = throttle.map_or_else(String::new, |most| format!("%{most}"));
    let mut command = vec![
        "--parsable".to_owned(),
        format!("--array=1-{workers}{limit}"),
        format!("--chdir={}", root.display()),
        format!("--output={}", root.join("logs/slurm-%A_%a.log").display()),
        root.join("slurm/worker.sh").display().to_string(),
    ];
    command.extend(arguments.iter().cloned());
    let said = succeed("sbatch", &command, MISSING)?;
    // `123` or `123;cluster`.
    let number = said.trim().split(';').next().unwrap_or_default().to_owned();
    if number.is_empty() || !number.chars().all(|c| c.is_ascii_digit()) {
        return Err(Failure::data(format!("`sbatch` answered `{}`, which is no job's number", said.trim())));
    }
    Ok(number)
}

/// Ends jobs.
pub(crate) fn cancel(jobs: &[String]) -> Result<(), Failure> {
    succeed("scancel", jobs, MISSING).map(drop)
}

/// Elements of arrays by number, `123_4`, each with Slurm's word for its state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Jobs {
    /// State by element.
    pub states: BTreeMap<String, String>,
    /// What could not be asked, and why.
    pub notes: Vec<String>,
}

impl Jobs {
    /// Whether an element runs, or will.
    #[must_use]
    pub fn is_active(&self, element: &str) -> bool {
        const ACTIVE: [&str; 8] =
            ["PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "REQUEUED", "SUSPENDED", "RESIZING", "STAGE_OUT"];
        self.states.get(element).is_some_and(|state| ACTIVE.iter().any(|active| state.starts_with(active)))
    }

    /// Elements by state.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for state in self.states.values() {
            *counts.entry(state.as_str()).or_default() += 1;
        }
        counts
    }
}

/// What Slurm says of jobs: `squeue` for those it still has, and where there is accounting, `sacct` for those it has not.
///
/// # Errors
/// No `squeue` here.
pub fn states(jobs: &BTreeSet<String>) -> Result<Jobs, Failure> {
    let mut found = Jobs::default();
    if jobs.is_empty() {
        return Ok(found);
    }
    let list = jobs.iter().cloned().collect::<Vec<_>>().join(",");
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    // One after the other where it refuses all because it has forgotten one.
    let ask = |list: &str| {
        let arguments = words(&["--noheader", "--array", "--states=all", "--format=%i|%T", "--jobs", list]);
        output("squeue", &arguments, MISSING)
    };
    let mut answers = vec![ask(&list)?];
    if !answers[0].status.success() && jobs.len() > 1 {
        answers = jobs.iter().map(|job| ask(job)).collect::<Result<_, _>>()?;
    }
    for answer in answers {
        if answer.status.success() {
            read(&mut found, &String::from_utf8_lossy(&answer.stdout));
        } else {
            let said = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
            if !said.contains("Invalid job id") {
                found.notes.push(format!("squeue: {}", shared::failure::printable(&said)));
            }
        }
    }
    let known: BTreeSet<&str> = found.states.keys().filter_map(|element| element.split('_').next()).collect();
    if jobs.iter().any(|job| !known.contains(job.as_str())) {
        let arguments = words(&["--noheader", "--parsable2", "--allocations", "--format=JobID,State", "--jobs", &list]);
        match output("sacct", &arguments, MISSING) {
            Ok(answer) if answer.status.success() => read(&mut found, &String::from_utf8_lossy(&answer.stdout)),
            // Many clusters have no accounting: what squeue has forgotten has ended, one way or another.
            Ok(_) | Err(_) => {
                found.notes.push("sacct: this cluster keeps no accounts of jobs that have ended".to_owned())
            }
        }
    }
    Ok(found)
}

fn read(found: &mut Jobs, text: &str) {
    for line in text.lines() {
        let Some((element, state)) = line.trim().split_once('|') else { continue };
        // `CANCELLED by 0` is one state.
        let state = state.split([' ', '|']).next().unwrap_or_default();
        found.states.entry(element.to_owned()).or_insert_with(|| state.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_squeue_and_sacct_are_read() {
        let mut jobs = Jobs::default();
        read(&mut jobs, "12_1|RUNNING\n12_2|PENDING\n");
        read(&mut jobs, "12_1|COMPLETED\n12_3|CANCELLED by 0\n12_4|NODE_FAIL\nnonsense\n");
        assert!(jobs.is_active("12_1") && jobs.is_active("12_2"), "squeue knows better than the accounts");
        assert!(!jobs.is_active("12_3") && !jobs.is_active("12_4") && !jobs.is_active("12_9"));
        assert_eq!(jobs.counts()["CANCELLED"], 1);
    }
}
