//! Every path that a file names: in `use`, in types and expressions, and in what macros are given.
//!
//! Comments, strings and documentation name nothing.

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    UseTree,
    spanned::Spanned as _,
    visit::{self, Visit},
};

use super::tree::SourceFile;

/// A path as it is written, with `self` and `super` resolved: `["crate", "rejection", "render"]`,
/// `["http", "StatusCode"]`.
pub(crate) struct Reference {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
}

impl Reference {
    pub(crate) fn text(&self) -> String {
        self.segments.join("::")
    }

    /// The path goes into this crate of others.
    pub(crate) fn names_crate(&self, name: &str) -> bool {
        self.segments.first().is_some_and(|first| first == name)
    }

    pub(crate) fn ends_with(&self, tail: &[&str]) -> bool {
        self.segments.len() >= tail.len()
            && self.segments.iter().rev().zip(tail.iter().rev()).all(|(segment, wanted)| segment == wanted)
    }
}

pub(crate) fn references(file: &SourceFile) -> Vec<Reference> {
    let mut collector = Collector { module: file.module(), found: Vec::new() };
    collector.visit_file(&file.ast);
    collector.found
}

struct Collector {
    module: Vec<String>,
    found: Vec<Reference>,
}

impl Collector {
    /// A single name is a local one, unless it was imported; then the import has been seen.
    fn add(&mut self, segments: &[String], line: usize, imported: bool) {
        let first = segments.first().map(String::as_str);
        if segments.len() < 2 && !imported {
            return;
        }
        let segments = match first {
            Some("self" | "super") => self.resolve(segments),
            _ => segments.to_vec(),
        };
        self.found.push(Reference { segments, line });
    }

    fn resolve(&self, segments: &[String]) -> Vec<String> {
        let mut base = self.module.clone();
        let mut rest = segments;
        while let [first, tail @ ..] = rest {
            match first.as_str() {
                "self" => {}
                "super" => drop(base.pop()),
                _ => break,
            }
            rest = tail;
        }
        base.extend_from_slice(rest);
        base
    }

    fn add_tree(&mut self, prefix: &[String], tree: &UseTree) {
        let with = |name: String| prefix.iter().cloned().chain([name]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => self.add_tree(&with(path.ident.to_string()), &path.tree),
            UseTree::Name(name) if name.ident == "self" => self.add(prefix, name.span().start().line, true),
            UseTree::Name(name) => self.add(&with(name.ident.to_string()), name.span().start().line, true),
            UseTree::Rename(rename) => self.add(&with(rename.ident.to_string()), rename.span().start().line, true),
            UseTree::Glob(glob) => self.add(&with("*".to_owned()), glob.span().start().line, true),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(prefix, tree)),
        }
    }

    /// `a :: b :: c`, wherever it stands among the tokens.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let (mut line, mut colons) = (0, 0);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.add(&std::mem::take(&mut path), line, false);
                    }
                    if path.is_empty() {
                        line = ident.span().start().line;
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.add(&std::mem::take(&mut path), line, false);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.add_tokens(group.stream());
                    }
                }
            }
        }
        self.add(&path, line, false);
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(&segments, path.span().start().line, false);
        visit::visit_path(self, path);
    }

    /// `pub(in crate::gate)` opens a door, it does not go through one.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    /// Of attributes only derives name anything that is run.
    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if attribute.path().is_ident("derive")
            && let syn::Meta::List(list) = &attribute.meta
        {
            self.add_tokens(list.tokens.clone());
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.add_tokens(call.tokens.clone());
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        self.visit_macro(&item.mac);
    }
}
