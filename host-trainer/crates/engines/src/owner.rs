//! What a process is called among workers.

/// The name of this machine.
#[must_use]
pub fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    let host = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    host.unwrap_or_else(|| "localhost".to_owned())
}

/// The name of this process among workers: host and process, and before them the engine's own name for it, where there is one.
#[must_use]
pub fn owner() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let process = format!("{}:{}", host(), std::process::id());
    let array = variable("SLURM_ARRAY_JOB_ID").zip(variable("SLURM_ARRAY_TASK_ID"));
    match (array, variable("SLURM_JOB_ID"), variable("LAYERJOULE_POD")) {
        (Some((job, task)), ..) => format!("slurm/{job}_{task}/{process}"),
        (None, Some(job), _) => format!("slurm/{job}/{process}"),
        (None, None, Some(pod)) => format!("kubernetes/{pod}/{process}"),
        (None, None, None) => process,
    }
}
