//! What a path in a module leads to.

use crate::source::{Crate, ModuleId, Name};

/// The longest chain of re-exports followed. Glob imports may form loops, which end here.
const DEPTH: usize = 24;

/// What a path leads to within its crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A module.
    Module(ModuleId),
    /// An item, and what follows it in the path: `Type::method`.
    Item {
        /// The module that defines it.
        module: ModuleId,
        /// Its name there.
        name: String,
        /// The rest of the path.
        rest: Vec<String>,
    },
}

impl Crate {
    /// What a path written in a module leads to. Re-exports are followed to the definition. Empty where the path leads out of the crate
    /// or names something local.
    pub(crate) fn resolve(&self, from: ModuleId, path: &[String]) -> Vec<Target> {
        let mut found = Vec::new();
        self.resolve_into(from, path, DEPTH, &mut found);
        found
    }

    fn resolve_into(&self, from: ModuleId, path: &[String], depth: usize, found: &mut Vec<Target>) {
        let Some((first, rest)) = path.split_first() else {
            push(found, Target::Module(from));
            return;
        };
        if depth == 0 {
            return;
        }
        match first.as_str() {
            "crate" | "$crate" => self.resolve_into(0, rest, depth - 1, found),
            "self" => self.resolve_into(from, rest, depth - 1, found),
            "super" => {
                if let Some(parent) = self.modules[from].parent {
                    self.resolve_into(parent, rest, depth - 1, found);
                }
            }
            name => self.lookup(from, name, rest, depth - 1, found),
        }
    }

    /// Follows a name of a module.
    fn lookup(&self, module: ModuleId, name: &str, rest: &[String], depth: usize, found: &mut Vec<Target>) {
        if depth == 0 {
            return;
        }
        let known = self.modules[module].names.get(name).map_or(&[][..], Vec::as_slice);
        for name_here in known {
            match name_here {
                Name::Module(child) => self.inside(*child, rest, depth - 1, found),
                Name::Item => {
                    push(found, Target::Item { module, name: name.to_owned(), rest: rest.to_vec() });
                }
                Name::Import(path) => {
                    // `use x::x` must not lead to itself.
                    if path.first().is_some_and(|first| first == name) && path.len() > 1 {
                        if let Some(Name::Module(child)) = known.iter().find(|n| matches!(n, Name::Module(_))) {
                            let whole = [&path[1..], rest].concat();
                            self.inside(*child, &whole, depth - 1, found);
                        }
                        continue;
                    }
                    let whole = [path.as_slice(), rest].concat();
                    self.resolve_into(module, &whole, depth - 1, found);
                }
            }
        }
        if known.is_empty() {
            for glob in &self.modules[module].globs {
                if glob.first().is_some_and(|first| first == name) {
                    continue;
                }
                let mut modules = Vec::new();
                self.resolve_into(module, glob, depth - 1, &mut modules);
                for target in modules {
                    if let Target::Module(below) = target
                        && below != module
                    {
                        self.lookup(below, name, rest, depth - 1, found);
                    }
                }
            }
        }
    }

    fn inside(&self, module: ModuleId, rest: &[String], depth: usize, found: &mut Vec<Target>) {
        match rest.split_first() {
            None => push(found, Target::Module(module)),
            Some((name, rest)) if name == "self" => self.inside(module, rest, depth, found),
            Some((name, _)) if name == "super" => self.resolve_into(module, rest, depth, found),
            Some((name, rest)) => self.lookup(module, name, rest, depth, found),
        }
    }
}

fn push(found: &mut Vec<Target>, target: Target) {
    if !found.contains(&target) {
        found.push(target);
    }
}
