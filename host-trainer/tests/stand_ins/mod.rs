//! Stand-ins for engines that no test machine has.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Has a command find the programs that [`write`] wrote into a folder.
pub(crate) fn use_in(command: &mut Command, folder: &Path) {
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", folder.join("bin").display()));
    command.env("HOST_TRAINER", env!("CARGO_BIN_EXE_host-trainer"));
    command.env("FAKE_SLURM", folder.join("slurm")).env("FAKE_HOSTS", folder.join("hosts"));
}

/// Writes `sbatch`, `squeue`, `scancel` and `scontrol` that run an array's elements as processes, and an `ssh` for which a host is a folder
/// of this machine: its home, without this process's variables.
pub(crate) fn write(folder: &Path) {
    let programs = [
        (
            "sbatch",
            r#"script=; job=$(( $(ls "$FAKE_SLURM" 2>/dev/null | wc -l) + 100 )); mkdir -p "$FAKE_SLURM/$job"
while [ $# -gt 0 ]; do case "$1" in
    --array=*) range=${1#--array=1-}; range=${range%%%*};;
    --chdir=*) cd "${1#--chdir=}";;
    --output=*) output=${1#--output=};;
    --*) ;;
    *) script=$1; shift; break;;
esac; shift; done
for i in $(seq "$range"); do
    log=$(echo "$output" | sed "s/%A/$job/; s/%a/$i/")
    echo RUNNING >"$FAKE_SLURM/$job/$i"
    ( SLURM_JOB_ID=$job$i SLURM_ARRAY_JOB_ID=$job SLURM_ARRAY_TASK_ID=$i bash "$script" "$@" >>"$log" 2>&1 </dev/null
      if [ $? = 0 ]; then echo COMPLETED; else echo FAILED; fi >"$FAKE_SLURM/$job/$i" ) >/dev/null 2>&1 &
done
echo "$job""#,
        ),
        (
            "squeue",
            r#"for last; do :; done
for job in $(echo "$last" | tr , ' '); do
    [ -d "$FAKE_SLURM/$job" ] || { echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1; }
    for file in "$FAKE_SLURM/$job"/*; do echo "${job}_$(basename "$file")|$(cat "$file")"; done
done"#,
        ),
        ("scancel", r#"for job; do echo "$job" >>"$FAKE_SLURM/../cancelled"; done"#),
        ("scontrol", r#"exit 1"#),
        (
            "ssh",
            r#"while [ $# -gt 0 ]; do case "$1" in -o) shift 2;; --) shift; break;; *) exit 255;; esac; done
home=$FAKE_HOSTS/$1; shift
[ -d "$home" ] || { echo "ssh: Could not resolve hostname" >&2; exit 255; }
cd "$home" && exec env -i HOME="$home" PATH="$PATH" sh -c "$*""#,
        ),
    ];
    fs::create_dir_all(folder.join("bin")).unwrap();
    for (name, text) in programs {
        let path = folder.join("bin").join(name);
        fs::write(&path, format!("#!/bin/bash\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}
