//! Other machines, by `ssh`: the folder lies on a disk that they share, or is copied to them with the program in it.

use crate::command::succeed;
use crate::copies::PROGRAM;
use crate::job::Job;
use shared::failure::{Failure, Kind};
use shared::shell::quoted;
use std::process::{Command, Stdio};

const MISSING: &str = "install an ssh client";

fn options(host: &str) -> Vec<String> {
    ["-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "--", host].map(str::to_owned).to_vec()
}

fn remote(host: &str, command: String) -> Result<String, Failure> {
    succeed("ssh", &[options(host), vec![command]].concat(), MISSING).map_err(|mut failure| {
        failure.message = format!("{host}: {}", failure.message);
        failure
    })
}

/// Starts workers on a host; the number of the process that each is.
pub(crate) fn start(job: &Job, host: &str, workers: u64, arguments: &[String]) -> Result<Vec<String>, Failure> {
    let root = job.root()?;
    let family = job.family;
    let folder = if job.on_one_disk {
        let place = root.display().to_string();
        let there = remote(host, format!("cat {}", quoted(&format!("{place}/{}", family.header))))
            .is_ok_and(|text| text.contains(&job.id));
        if !there {
            let noun = family.noun;
            return Err(Failure::new(Kind::Io, format!("{host} does not have the {noun} folder at {place}"))
                .help(format!("put the {noun} on a disk that the hosts share, or {}", family.help_hosts)));
        }
        place
    } else {
        let place = format!(".layerjoule/{}/{}", family.folder, job.present_name());
        copy(&root.display().to_string(), host, &place)?;
        place
    };
    let words: Vec<String> = arguments.iter().map(|argument| quoted(argument)).collect();
    let mut processes = Vec::new();
    for worker in 1..=workers {
        let log = quoted(&format!("logs/ssh-{}-{worker}.log", host.replace(['@', ':', '[', ']', '%'], "-")));
        let command = format!(
            "cd {} && mkdir -p logs && {{ nohup ./{PROGRAM} {} . {} >>{log} 2>&1 </dev/null & echo $!; }}",
            quoted(&folder),
            family.work.join(" "),
            words.join(" ")
        );
        processes.push(format!("{host}/{}", remote(host, command)?.trim()));
    }
    Ok(processes)
}

/// Copies a folder to a host by `tar`, which every machine has.
fn copy(from: &str, host: &str, to: &str) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::new(Kind::Io, format!("{host}: the folder cannot be copied: {e}"));
    let exclude = ["--exclude=./queue", "--exclude=./artefacts", "--exclude=./logs"];
    let mut tar = Command::new("tar")
        .args(["-C", from, "-cf", "-"])
        .args(exclude)
        .arg(".")
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let input = tar.stdout.take().map_or_else(Stdio::null, Stdio::from);
    let receive = format!("mkdir -p {0} && tar -C {0} -xf -", quoted(to));
    let received = Command::new("ssh").args(options(host)).arg(receive).stdin(input).output().map_err(failed)?;
    let sent = tar.wait().map_err(failed)?;
    if received.status.success() && sent.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&received.stderr).trim().to_owned();
    Err(Failure::new(Kind::Io, format!("{host}: the folder cannot be copied: {}", shared::failure::printable(&said))))
}

/// Asks processes of hosts to stop, each named `host/number`.
pub(crate) fn stop(processes: &[String]) -> Result<(), Failure> {
    for process in processes {
        let Some((host, number)) = process.rsplit_once('/') else { continue };
        if number.chars().all(|c| c.is_ascii_digit()) && !number.is_empty() {
            remote(host, format!("kill -TERM {number} 2>/dev/null || true"))?;
        }
    }
    Ok(())
}
