//! Short names of the public Jetson modules, and how a board says which it is.

/// A public Jetson module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Module {
    /// The short name that devices are called by.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// Part numbers in the device tree's `compatible` list. Source: NVIDIA's device trees (`tegra234-p3701-0005` and the
    /// like) and the names of the files `nvpmodel_p….conf` of Jetson Linux.
    parts: &'static [&'static str],
    /// Words that a device tree's model has, all of them, in lower case.
    words: &'static [&'static str],
}

/// The public modules. Where one's words include another's, it stands first.
pub const MODULES: [Module; 11] = [
    Module {
        name: "agx-orin-32gb",
        title: "Jetson AGX Orin 32GB",
        parts: &["p3701-0004"],
        words: &["agx", "orin", "32gb"],
    },
    Module {
        name: "agx-orin",
        title: "Jetson AGX Orin 64GB",
        parts: &["p3701-0000", "p3701-0005"],
        words: &["agx", "orin"],
    },
    Module { name: "orin-nx-8gb", title: "Jetson Orin NX 8GB", parts: &["p3767-0001"], words: &["orin", "nx", "8gb"] },
    Module { name: "orin-nx", title: "Jetson Orin NX 16GB", parts: &["p3767-0000"], words: &["orin", "nx"] },
    Module {
        name: "orin-nano-4gb",
        title: "Jetson Orin Nano 4GB",
        parts: &["p3767-0004"],
        words: &["orin", "nano", "4gb"],
    },
    Module {
        name: "orin-nano",
        title: "Jetson Orin Nano 8GB",
        parts: &["p3767-0003", "p3767-0005"],
        words: &["orin", "nano"],
    },
    Module {
        name: "agx-xavier",
        title: "Jetson AGX Xavier",
        parts: &["p2888-0001", "p2888-0004"],
        words: &["agx", "xavier"],
    },
    Module {
        name: "xavier-nx",
        title: "Jetson Xavier NX",
        parts: &["p3668-0000", "p3668-0001"],
        words: &["xavier", "nx"],
    },
    Module { name: "tx2", title: "Jetson TX2", parts: &["p3310-1000"], words: &["tx2"] },
    Module { name: "nano", title: "Jetson Nano", parts: &["p3448-0000", "p3448-0002"], words: &["nano"] },
    Module { name: "tx1", title: "Jetson TX1", parts: &["p2180-1000"], words: &["tx1"] },
];

/// The module of a board, by the part number in its device tree's `compatible` list, else by the model's words; none for
/// another board.
///
/// ```
/// use shared::device::module_of;
///
/// let name = |compatible, model| module_of(compatible, model).map(|module| module.name);
/// assert_eq!(name(None, Some("NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super")), Some("orin-nano"));
/// assert_eq!(name(Some("nvidia,p3768-0000+p3767-0001,nvidia,tegra234"), Some("NVIDIA Jetson")), Some("orin-nx-8gb"));
/// assert_eq!(name(None, Some("NVIDIA Jetson AGX Orin Developer Kit")), Some("agx-orin"));
/// assert_eq!(name(None, Some("NVIDIA Jetson TX2 NX")), None, "a module of its own");
/// assert_eq!(name(None, Some("ThinkPad")), None);
/// ```
#[must_use]
pub fn module_of(compatible: Option<&str>, model: Option<&str>) -> Option<&'static Module> {
    let by_part = compatible.and_then(|text| MODULES.iter().find(|m| m.parts.iter().any(|part| text.contains(part))));
    by_part.or_else(|| {
        let model = model?.to_ascii_lowercase();
        let words: Vec<&str> = model.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let named = words.contains(&"jetson") && !(words.contains(&"tx2") && words.contains(&"nx"));
        MODULES.iter().find(|m| named && m.words.iter().all(|word| words.contains(word)))
    })
}
