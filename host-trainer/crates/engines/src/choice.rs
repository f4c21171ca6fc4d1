//! Which engine, and what a worker may take there.

/// What starts workers.
///
/// ```
/// use engines::Engine;
///
/// assert_eq!("slurm".parse(), Ok(Engine::Slurm));
/// assert_eq!("ssh:one,me@two".parse(), Ok(Engine::Ssh(vec!["one".into(), "me@two".into()])));
/// // What ssh would take for an option names no host.
/// assert!("ssh:-oProxyCommand=x".parse::<Engine>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Engine {
    /// Processes on this machine.
    #[default]
    Local,
    /// A Slurm cluster, by `sbatch` of this machine.
    Slurm,
    /// A Kubernetes cluster, by the user's own `kubectl`.
    Kubernetes,
    /// Other machines by `ssh`; nothing has to be installed there.
    Ssh(Vec<String>),
}

/// A key of a Kubernetes secret, which workers get as an environment variable of the key's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The secret.
    pub name: String,
    /// The key in it.
    pub key: String,
}

/// What each worker may take, in the engine's own terms where it has some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resources {
    /// Processors.
    pub cpus: u32,
    /// Memory, MiB; the engine's default where it is none.
    pub memory_mib: Option<u64>,
    /// GPUs. They are asked of the engine; this build computes on the processor.
    pub gpus: u32,
    /// Workers that run at once; all where it is none.
    pub throttle: Option<u64>,
    /// Seconds before its end that a worker is told to stop.
    pub grace_s: u32,
    /// Slurm: the time limit, as `sbatch --time` takes it.
    pub time: Option<String>,
    /// Slurm: the partition.
    pub partition: Option<String>,
    /// Slurm: the account.
    pub account: Option<String>,
    /// Kubernetes: the image with the program.
    pub image: Option<String>,
    /// Kubernetes: the namespace; that of the user's context where it is none.
    pub namespace: Option<String>,
    /// Kubernetes: a volume claim that holds the folder of all batches or studies.
    pub volume_claim: Option<String>,
    /// Kubernetes: secrets for databases and stores.
    pub secrets: Vec<Secret>,
    /// Kubernetes: labels that a node must have, `key=value`, or `key=a|b` for any of several.
    pub nodes: Vec<String>,
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            cpus: 1,
            memory_mib: None,
            gpus: 0,
            throttle: None,
            grace_s: 60,
            time: None,
            partition: None,
            account: None,
            image: None,
            namespace: None,
            volume_claim: None,
            secrets: Vec::new(),
            nodes: Vec::new(),
        }
    }
}

impl Secret {
    /// Parses `NAME:KEY[,KEY…]`.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(text: &str) -> Result<Vec<Self>, String> {
        let (name, keys) = text.split_once(':').ok_or_else(|| format!("`{text}` is not NAME:KEY"))?;
        let is_name =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        let one = |key: &str| match is_name(name) && is_name(key) {
            true => Ok(Self { name: name.to_owned(), key: key.to_owned() }),
            false => Err(format!("`{text}` is not NAME:KEY")),
        };
        keys.split(',').map(one).collect()
    }
}

impl std::str::FromStr for Engine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "local" => Ok(Self::Local),
            None if text == "slurm" => Ok(Self::Slurm),
            None if text == "kubernetes" => Ok(Self::Kubernetes),
            Some(("ssh", hosts)) => {
                let hosts: Vec<String> = hosts.split(',').map(|host| host.trim().to_owned()).collect();
                // A host that begins with a hyphen would be an option of ssh.
                let plain = |host: &String| {
                    !host.is_empty()
                        && !host.starts_with('-')
                        && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._@:[]%".contains(c))
                };
                match hosts.iter().all(plain) {
                    true => Ok(Self::Ssh(hosts)),
                    false => Err(format!("`{text}` does not name hosts: write ssh:HOST,HOST")),
                }
            }
            _ => Err(format!("there is no engine `{text}`; known are local, slurm, kubernetes, ssh:HOST,HOST")),
        }
    }
}

impl Engine {
    /// The word for it, as folders keep it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Local => "local".to_owned(),
            Self::Slurm => "slurm".to_owned(),
            Self::Kubernetes => "kubernetes".to_owned(),
            Self::Ssh(hosts) => format!("ssh:{}", hosts.join(",")),
        }
    }

    /// Whether the folder gets a copy of the program: machines that have none installed run it.
    #[must_use]
    pub fn needs_program(&self) -> bool {
        matches!(self, Self::Ssh(_))
    }

    /// Whether workers run on this machine.
    #[must_use]
    pub fn is_here(&self) -> bool {
        *self == Self::Local
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_named_and_what_could_be_an_option_is_no_host() {
        for name in ["local", "slurm", "kubernetes", "ssh:a,me@b.example.org"] {
            assert_eq!(name.parse::<Engine>().expect(name).name(), name);
        }
        for name in ["lokal", "ssh:", "ssh:-oProxyCommand=x", "ssh:a b", "ssh:a;b"] {
            assert!(name.parse::<Engine>().is_err(), "{name}");
        }
        assert_eq!(Secret::parse("db:URL,KEY").expect("two").len(), 2);
        assert!(Secret::parse("db").is_err() && Secret::parse("db:$(x)").is_err());
    }
}
