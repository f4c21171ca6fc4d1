//! The module tree of one crate, read from its source files.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use syn::punctuated::Punctuated;
use syn::visit::Visit;
use syn::{Attribute, Item, Meta, Token, UseTree};

/// Number of a module within its crate; the root is 0.
pub(crate) type ModuleId = usize;

/// A crate's source files and the modules in them.
pub(crate) struct Crate {
    /// The files, as paths relative to the folder that the crate was read from.
    pub(crate) files: Vec<SourceFile>,
    /// The modules; each lies in one file, and a file may hold several.
    pub(crate) modules: Vec<Module>,
    /// Where `macro_rules!` macros are defined. They are found by name, since their scope is textual.
    pub(crate) macros: HashMap<String, usize>,
}

/// A parsed source file.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Relative path, with `/`.
    pub(crate) path: String,
}

/// One module: its names, and the items that references are collected from.
pub(crate) struct Module {
    /// Where it lies.
    pub(crate) file: usize,
    /// The module around it.
    pub(crate) parent: Option<ModuleId>,
    /// What a name stands for. A type and a function, or a module and a function, may share one.
    pub(crate) names: HashMap<String, Vec<Name>>,
    /// Paths whose names are all imported (`use path::*`).
    pub(crate) globs: Vec<Vec<String>>,
    /// The items, without modules.
    pub(crate) items: Vec<Item>,
}

/// What a name in a module stands for.
#[derive(Debug, Clone)]
pub(crate) enum Name {
    /// A module of this crate.
    Module(ModuleId),
    /// An item defined in the module's file.
    Item,
    /// Imported from a path.
    Import(Vec<String>),
}

impl Crate {
    /// Reads a crate from its root file (`src/lib.rs` or `src/main.rs`). Code for tests is left out.
    pub(crate) fn read(folder: &Path, root: &Path) -> Result<Self, String> {
        let mut this = Self { files: Vec::new(), modules: Vec::new(), macros: HashMap::new() };
        let children = root.parent().ok_or("the root file has no folder")?;
        this.file(folder, root, children, None)?;
        Ok(this)
    }

    fn file(
        &mut self,
        folder: &Path,
        path: &Path,
        children: &Path,
        parent: Option<ModuleId>,
    ) -> Result<Option<ModuleId>, String> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let parsed = syn::parse_file(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        if is_test_only(&parsed.attrs) {
            return Ok(None);
        }
        let relative = path.strip_prefix(folder).unwrap_or(path);
        self.files.push(SourceFile { path: relative.to_string_lossy().replace('\\', "/") });
        let file = self.files.len() - 1;
        self.module(folder, file, children, path, parsed.items, parent).map(Some)
    }

    fn module(
        &mut self,
        folder: &Path,
        file: usize,
        children: &Path,
        path: &Path,
        items: Vec<Item>,
        parent: Option<ModuleId>,
    ) -> Result<ModuleId, String> {
        let id = self.modules.len();
        self.modules.push(Module { file, parent, names: HashMap::new(), globs: Vec::new(), items: Vec::new() });
        let mut kept = Vec::new();
        for item in items {
            if is_test_only(attributes(&item)) {
                continue;
            }
            match item {
                Item::Mod(module) => {
                    let name = module.ident.to_string();
                    let child = match module.content {
                        Some((_, items)) => {
                            Some(self.module(folder, file, &children.join(&name), path, items, Some(id))?)
                        }
                        None => {
                            let (at, below) = self.locate(path, children, &name, &module.attrs)?;
                            self.file(folder, &at, &below, Some(id))?
                        }
                    };
                    if let Some(child) = child {
                        self.name(id, &name, Name::Module(child));
                    }
                }
                Item::Use(ref used) => {
                    self.import(id, &used.tree, &mut Vec::new());
                    kept.push(item);
                }
                Item::Macro(ref definition) => {
                    if let Some(name) = &definition.ident {
                        self.macros.insert(name.to_string(), file);
                    }
                    kept.push(item);
                }
                item => {
                    if let Some(name) = defined(&item) {
                        self.name(id, &name, Name::Item);
                    }
                    kept.push(item);
                }
            }
        }
        let mut inner = InnerUses::default();
        kept.iter().filter(|item| !matches!(item, Item::Use(_))).for_each(|item| inner.visit_item(item));
        for leaf in inner.0 {
            if let Some(name) = leaf.name.filter(|name| !self.modules[id].names.contains_key(name)) {
                self.name(id, &name, Name::Import(leaf.path));
            }
        }
        self.modules[id].items = kept;
        Ok(id)
    }

    fn locate(
        &self,
        path: &Path,
        children: &Path,
        name: &str,
        attributes: &[Attribute],
    ) -> Result<(PathBuf, PathBuf), String> {
        for attribute in attributes {
            if let Meta::NameValue(pair) = &attribute.meta
                && pair.path.is_ident("path")
                && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value
            {
                let at = path.parent().unwrap_or(path).join(text.value());
                let below = at.parent().unwrap_or(&at).to_owned();
                return Ok((at, below));
            }
        }
        let (flat, nested) = (children.join(format!("{name}.rs")), children.join(name).join("mod.rs"));
        let at = if flat.exists() { flat } else { nested };
        if !at.exists() {
            return Err(format!("{}: module `{name}` has no file", path.display()));
        }
        Ok((at, children.join(name)))
    }

    fn name(&mut self, module: ModuleId, name: &str, stands_for: Name) {
        self.modules[module].names.entry(name.to_owned()).or_default().push(stands_for);
    }

    /// Notes the names that a `use` brings into a module.
    fn import(&mut self, module: ModuleId, tree: &UseTree, prefix: &mut Vec<String>) {
        for leaf in leaves(tree, prefix) {
            match leaf.name {
                Some(name) => self.name(module, &name, Name::Import(leaf.path)),
                None => self.modules[module].globs.push(leaf.path),
            }
        }
    }
}

/// The `use` declarations inside functions. They are taken for the module's, whose own names come first.
#[derive(Default)]
struct InnerUses(Vec<Leaf>);

impl<'ast> Visit<'ast> for InnerUses {
    fn visit_item_use(&mut self, used: &'ast syn::ItemUse) {
        self.0.extend(leaves(&used.tree, &mut Vec::new()));
    }
}

/// One path of a `use` tree.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// The path to what is imported.
    pub(crate) path: Vec<String>,
    /// The name it gets here; none for `*`.
    pub(crate) name: Option<String>,
    /// Line of its last segment, from 1.
    pub(crate) line: usize,
}

/// The paths of a `use` tree, groups resolved.
pub(crate) fn leaves(tree: &UseTree, prefix: &mut Vec<String>) -> Vec<Leaf> {
    let mut found = Vec::new();
    match tree {
        UseTree::Path(path) => {
            prefix.push(path.ident.to_string());
            found.extend(leaves(&path.tree, prefix));
            prefix.pop();
        }
        UseTree::Group(group) => {
            for item in &group.items {
                found.extend(leaves(item, prefix));
            }
        }
        UseTree::Glob(star) => {
            found.push(Leaf { path: prefix.clone(), name: None, line: star.star_token.spans[0].start().line });
        }
        UseTree::Name(name) => found.push(leaf(prefix, &name.ident, &name.ident)),
        UseTree::Rename(rename) => found.push(leaf(prefix, &rename.ident, &rename.rename)),
    }
    found
}

/// `use a::b::{self}` imports `b` under its own name.
fn leaf(prefix: &[String], ident: &syn::Ident, name: &syn::Ident) -> Leaf {
    let (mut path, mut named) = (prefix.to_vec(), name.to_string());
    if ident != "self" || path.is_empty() {
        path.push(ident.to_string());
    } else if named == "self" {
        named = path.last().cloned().unwrap_or_default();
    }
    Leaf { path, name: Some(named), line: ident.span().start().line }
}

/// The name that an item gives to its module.
fn defined(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::TraitAlias(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Union(item) => item.ident.to_string(),
        _ => return None,
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether something is compiled for tests alone: `#[test]`, `#[cfg(test)]`, `#[cfg(all(test, …))]`.
pub(crate) fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg")
                && attribute.parse_args::<Meta>().is_ok_and(|predicate| needs_test(&predicate)))
    })
}

fn needs_test(predicate: &Meta) -> bool {
    match predicate {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) => {
            let inner = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).unwrap_or_default();
            if list.path.is_ident("all") {
                inner.iter().any(needs_test)
            } else {
                list.path.is_ident("any") && !inner.is_empty() && inner.iter().all(needs_test)
            }
        }
        Meta::NameValue(_) => false,
    }
}
