//! The paths that the code of a module mentions.

use crate::source::{is_test_only, leaves};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Stmt, TraitItem};

/// A mention of something.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    /// Line, from 1.
    pub(crate) line: usize,
    /// What is mentioned.
    pub(crate) what: Mention,
}

/// What a line mentions.
#[derive(Debug, Clone)]
pub(crate) enum Mention {
    /// A path.
    Path(Vec<String>),
    /// All names of a path: `use path::*`.
    Glob(Vec<String>),
    /// A method called on `self` inside an `impl` of this type.
    SelfMethod {
        /// The type, as the `impl` writes it.
        of: Vec<String>,
        /// The method.
        method: String,
    },
    /// A macro by its name alone.
    Macro(String),
}

/// The references of some items, in the order in which they stand.
pub(crate) fn references(items: &[Item]) -> Vec<Reference> {
    let mut collector = Collector::default();
    for item in items {
        collector.visit_item(item);
    }
    collector.found
}

#[derive(Default)]
struct Collector {
    found: Vec<Reference>,
    /// The type of the `impl` that is being read.
    of: Option<Vec<String>>,
}

impl Collector {
    fn path(&mut self, path: Vec<String>, line: usize) {
        if path.first().is_some_and(|first| first == "Self") {
            if let (Some(of), true) = (&self.of, path.len() > 1) {
                let path = [of.as_slice(), &path[1..]].concat();
                self.found.push(Reference { line, what: Mention::Path(path) });
            }
            return;
        }
        self.found.push(Reference { line, what: Mention::Path(path) });
    }

    fn method_of_self(&mut self, method: String, line: usize) {
        if let Some(of) = &self.of {
            self.found.push(Reference { line, what: Mention::SelfMethod { of: of.clone(), method } });
        }
    }

    /// Reads what may be paths out of a macro's arguments: their syntax is the macro's own.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is = |at: usize, wanted: char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == wanted);
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => {
                    self.tokens(group.stream());
                    at += 1;
                }
                TokenTree::Ident(first) => {
                    let line = first.span().start().line;
                    // `.field` and `'lifetime` are no paths.
                    let preceded = at > 0 && (is(at - 1, '.') || is(at - 1, '\''));
                    let mut path = vec![first.to_string()];
                    let mut next = at + 1;
                    while is(next, ':')
                        && is(next + 1, ':')
                        && let Some(TokenTree::Ident(segment)) = tokens.get(next + 2)
                    {
                        path.push(segment.to_string());
                        next += 3;
                    }
                    let called = matches!(tokens.get(next), Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Parenthesis);
                    if !preceded && path.len() == 1 && path[0] == "self" && is(next, '.') {
                        if let Some(TokenTree::Ident(method)) = tokens.get(next + 1)
                            && matches!(tokens.get(next + 2), Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Parenthesis)
                        {
                            self.method_of_self(method.to_string(), line);
                        }
                    } else if !preceded && (path.len() > 1 || called || is_type_like(&path[0])) {
                        self.path(path, line);
                    }
                    at = next;
                }
                _ => at += 1,
            }
        }
    }
}

fn is_type_like(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
}

fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

fn line(path: &syn::Path) -> usize {
    path.segments.last().map_or(0, |segment| segment.ident.span().start().line)
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item(&mut self, item: &'ast Item) {
        // Modules are read on their own; items for tests inside functions are left out.
        match item {
            Item::Mod(_) => {}
            Item::Fn(function) if is_test_only(&function.attrs) => {}
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_item_use(&mut self, used: &'ast syn::ItemUse) {
        for leaf in leaves(&used.tree, &mut Vec::new()) {
            let what = if leaf.name.is_some() { Mention::Path(leaf.path) } else { Mention::Glob(leaf.path) };
            self.found.push(Reference { line: leaf.line, what });
        }
    }

    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        let outer = self.of.take();
        if let syn::Type::Path(of) = &*block.self_ty
            && of.qself.is_none()
        {
            self.of = Some(segments(&of.path));
        }
        visit::visit_item_impl(self, block);
        self.of = outer;
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            _ => &Vec::new(),
        };
        if !is_test_only(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        if !matches!(item, TraitItem::Fn(function) if is_test_only(&function.attrs)) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if !matches!(statement, Stmt::Local(local) if is_test_only(&local.attrs)) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.path(segments(path), line(path));
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if matches!(&*call.receiver, syn::Expr::Path(receiver) if receiver.path.is_ident("self")) {
            self.method_of_self(call.method.to_string(), call.method.span().start().line);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        let (path, line) = (segments(&invocation.path), line(&invocation.path));
        if let [name] = path.as_slice() {
            self.found.push(Reference { line, what: Mention::Macro(name.clone()) });
        }
        self.path(path, line);
        self.tokens(invocation.tokens.clone());
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    /// Attributes name functions in strings: `#[serde(with = "crate::time")]`.
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        let syn::Meta::List(list) = &attribute.meta else { return };
        for token in list.tokens.clone() {
            if let TokenTree::Literal(literal) = token
                && let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string())
                && let Ok(path) = text.parse::<syn::Path>()
            {
                self.path(segments(&path), literal.span().start().line);
            }
        }
    }
}
