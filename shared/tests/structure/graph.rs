//! Which file uses which, and the circles in that.

use crate::references::{Mention, references};
use crate::resolve::Target;
use crate::source::{Crate, ModuleId};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use syn::Item;

/// The files of a crate, and who uses whom.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// The files by path.
    pub(crate) files: Vec<String>,
    /// An arrow from the file that uses to the file that is used.
    pub(crate) arrows: BTreeMap<(usize, usize), Arrow>,
}

/// One file uses items of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrow {
    /// The first line that does.
    pub(crate) line: usize,
    /// What that line uses, as it is written there.
    pub(crate) item: String,
    /// How many lines do.
    pub(crate) lines: usize,
}

/// A way from a file back to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Circle {
    /// All files that lie on some circle with these, by path.
    pub(crate) files: Vec<String>,
    /// A shortest way round: (file, its arrow, the file used).
    pub(crate) way: Vec<(String, Arrow, String)>,
}

impl Graph {
    /// The graph of a crate.
    pub(crate) fn of(parsed: &Crate) -> Self {
        let mut graph =
            Self { files: parsed.files.iter().map(|file| file.path.clone()).collect(), arrows: BTreeMap::new() };
        let methods = Methods::of(parsed);
        for (module, content) in parsed.modules.iter().enumerate() {
            for reference in references(&content.items) {
                let (item, files) = match &reference.what {
                    Mention::Path(path) => (path.join("::"), methods.files(parsed, module, path)),
                    Mention::Glob(path) => {
                        let modules = parsed.resolve(module, path).into_iter().map(|target| match target {
                            Target::Module(id) | Target::Item { module: id, .. } => parsed.modules[id].file,
                        });
                        (format!("{}::*", path.join("::")), modules.collect())
                    }
                    Mention::SelfMethod { of, method } => {
                        let path = [of.as_slice(), std::slice::from_ref(method)].concat();
                        (format!("self.{method}()"), methods.of_impls(parsed, module, &path))
                    }
                    Mention::Macro(name) => {
                        (format!("{name}!"), parsed.macros.get(name).copied().into_iter().collect())
                    }
                };
                for file in files {
                    graph.add(content.file, file, reference.line, &item);
                }
            }
        }
        graph
    }

    fn add(&mut self, from: usize, to: usize, line: usize, item: &str) {
        if from == to {
            return;
        }
        let arrow = self.arrows.entry((from, to)).or_insert(Arrow { line: usize::MAX, item: String::new(), lines: 0 });
        arrow.lines += 1;
        if line < arrow.line {
            arrow.line = line;
            item.clone_into(&mut arrow.item);
        }
    }

    /// The circles: one for each set of files that can reach each other.
    pub(crate) fn circles(&self) -> Vec<Circle> {
        let reach: Vec<BTreeSet<usize>> = (0..self.files.len()).map(|file| self.reachable(file)).collect();
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        let mut circles = Vec::new();
        for file in 0..self.files.len() {
            if !reach[file].contains(&file) || seen.contains(&file) {
                continue;
            }
            let members: Vec<usize> =
                reach[file].iter().copied().filter(|other| reach[*other].contains(&file)).collect();
            seen.extend(&members);
            let way = members.iter().map(|start| self.way_round(*start)).min_by_key(Vec::len).unwrap_or_default();
            let mut files: Vec<String> = members.iter().map(|member| self.files[*member].clone()).collect();
            files.sort();
            circles.push(Circle { files, way });
        }
        circles
    }

    fn next(&self, file: usize) -> impl Iterator<Item = usize> + '_ {
        self.arrows.range((file, 0)..=(file, usize::MAX)).map(|((_, to), _)| *to)
    }

    /// What a file uses, directly or not; itself only where it lies on a circle.
    fn reachable(&self, file: usize) -> BTreeSet<usize> {
        let (mut seen, mut queue) = (BTreeSet::new(), vec![file]);
        while let Some(at) = queue.pop() {
            queue.extend(self.next(at).filter(|to| seen.insert(*to)));
        }
        seen
    }

    /// A shortest way from a file back to it.
    fn way_round(&self, start: usize) -> Vec<(String, Arrow, String)> {
        let (mut before, mut queue) = (HashMap::new(), VecDeque::from([start]));
        while let Some(at) = queue.pop_front() {
            for to in self.next(at) {
                if to != start && before.contains_key(&to) {
                    continue;
                }
                before.insert(to, at);
                if to == start {
                    let (mut way, mut to) = (Vec::new(), start);
                    loop {
                        let from = before[&to];
                        way.push((self.files[from].clone(), self.arrows[&(from, to)].clone(), self.files[to].clone()));
                        to = from;
                        if to == start {
                            way.reverse();
                            return way;
                        }
                    }
                }
                queue.push_back(to);
            }
        }
        Vec::new()
    }
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "a circle of {} files; a shortest way round:", self.files.len())?;
        for (number, (file, arrow, used)) in self.way.iter().enumerate() {
            let closes = if number + 1 == self.way.len() { " and closes the circle" } else { "" };
            let more = if arrow.lines > 1 { format!(" ({} lines in all)", arrow.lines) } else { String::new() };
            writeln!(f, "  {file}:{} uses `{}` of {used}{closes}{more}", arrow.line, arrow.item)?;
        }
        if self.files.len() > self.way.len() {
            writeln!(f, "  all its files: {}", self.files.join(", "))?;
        }
        Ok(())
    }
}

/// Where a type's own methods and constants are defined, which need not be the type's file.
struct Methods(HashMap<(ModuleId, String), HashMap<String, BTreeSet<usize>>>);

impl Methods {
    fn of(parsed: &Crate) -> Self {
        let mut methods: HashMap<_, HashMap<String, BTreeSet<usize>>> = HashMap::new();
        for (module, content) in parsed.modules.iter().enumerate() {
            for item in &content.items {
                let Item::Impl(block) = item else { continue };
                let syn::Type::Path(of) = &*block.self_ty else { continue };
                if block.trait_.is_some() {
                    continue;
                }
                let path: Vec<String> = of.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
                for target in parsed.resolve(module, &path) {
                    let Target::Item { module, name, .. } = target else { continue };
                    let known = methods.entry((module, name)).or_default();
                    for item in &block.items {
                        let name = match item {
                            syn::ImplItem::Fn(function) => function.sig.ident.to_string(),
                            syn::ImplItem::Const(constant) => constant.ident.to_string(),
                            _ => continue,
                        };
                        known.entry(name).or_default().insert(content.file);
                    }
                }
            }
        }
        Self(methods)
    }

    /// The files that a path leads to: the item's own, and that of the method it names.
    fn files(&self, parsed: &Crate, module: ModuleId, path: &[String]) -> BTreeSet<usize> {
        let mut files = self.of_impls(parsed, module, path);
        for target in parsed.resolve(module, path) {
            if let Target::Item { module, .. } = target {
                files.insert(parsed.modules[module].file);
            }
        }
        files
    }

    /// The files of the `impl` blocks that define the method at the end of a path.
    fn of_impls(&self, parsed: &Crate, module: ModuleId, path: &[String]) -> BTreeSet<usize> {
        let mut files = BTreeSet::new();
        for target in parsed.resolve(module, path) {
            if let Target::Item { module, name, rest } = target
                && let (Some(known), Some(method)) = (self.0.get(&(module, name)), rest.first())
            {
                files.extend(known.get(method).into_iter().flatten());
            }
        }
        files
    }
}
