//! What a checked file is called.

use crate::pattern::Pattern;
use std::path::Path;

/// Endings of files that are no part of a network's name.
const ENDINGS: [&str; 9] =
    [".json", ".txt", ".csv", ".onnx", ".graph", ".profile", ".engine", "_trt_engine_info", ".layers"];

/// A network, named by its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Network {
    /// The file, as it was given.
    pub(crate) path: String,
    /// The file's name without folder and endings.
    pub(crate) name: String,
}

impl Network {
    /// The network of a file.
    pub(crate) fn of(path: &str) -> Self {
        let mut name = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path);
        while let Some(shorter) = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending).filter(|n| !n.is_empty()))
        {
            name = shorter;
        }
        Self { path: path.to_owned(), name: name.to_owned() }
    }

    /// Whether a pattern means it: one with a `/` by its path, every other by its name or its file's name.
    pub(crate) fn is_meant_by(&self, pattern: &Pattern) -> bool {
        if pattern.is_path() {
            return pattern.matches(self.path.strip_prefix("./").unwrap_or(&self.path));
        }
        let file = Path::new(&self.path).file_name().and_then(|name| name.to_str()).unwrap_or(&self.path);
        pattern.matches(&self.name) || pattern.matches(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_called_like_its_file() {
        for (path, name) in [
            ("models/resnet18_trt_engine_info.json", "resnet18"),
            ("resnet.graph.json", "resnet"),
            ("a/b/", "b"),
            (".json", ".json"),
        ] {
            assert_eq!(Network::of(path).name, name, "{path}");
        }
        let network = Network::of("./models/resnet18_trt_engine_info.json");
        for (pattern, meant) in [("resnet18", true), ("*_info.json", true), ("models/*", true), ("other/*", false)] {
            assert_eq!(network.is_meant_by(&Pattern::new(pattern)), meant, "{pattern}");
        }
    }
}
