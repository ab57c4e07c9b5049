//! Which crates of others appear in the public API: only those whose major versions may be ours.
//!
//! Looked at are the signatures of `pub` items, the public fields, the bounds, what is re-exported,
//! and the traits that public types implement. A name is followed to its crate through the `use`
//! items of its file. Not seen are items that a macro of the crate writes, and what a private alias
//! in another file hides.

use std::collections::{HashMap, HashSet};

use syn::{
    Attribute, FnArg, Generics, ImplItem, Item, Signature, TraitItem, UseTree, Visibility,
    spanned::Spanned as _,
    visit::{self, Visit},
};

use super::{
    findings::{Finding, Rule},
    tree::{SourceFile, Tree},
};

/// Crates whose types may appear, and the language's own.
const ALLOWED: &[&str] = &[
    "std",
    "core",
    "alloc",
    "crate",
    "self",
    "super",
    "Self", //
    "http",
    "http_body",
    "tower",
    "tower_layer",
    "tower_service",
    "axum",
    "axum_core",
    "bytes",
    "serde",
    "serde_json",
];

/// Every crate that is not in `ALLOWED` and could be named.
pub(crate) struct Crates(HashSet<String>);

impl Crates {
    /// Those that the manifest depends on.
    fn of_manifest() -> Self {
        let manifest = include_str!("../../Cargo.toml");
        let mut names = HashSet::new();
        let mut inside = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                inside = line == "[dependencies]";
            } else if inside && let Some((name, _)) = line.split_once([' ', '=', '.']) {
                names.insert(name.replace('-', "_"));
            }
        }
        names.retain(|name| !ALLOWED.contains(&name.as_str()) && !name.starts_with('#'));
        Self(names)
    }
}

pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let crates = Crates::of_manifest();
    let public: HashSet<String> = tree.product().flat_map(|file| public_types(&file.ast.items)).collect();
    for file in tree.product() {
        let mut imports = HashMap::new();
        collect_imports(&file.ast.items, &mut imports);
        let mut api = Api { file, crates: &crates, imports, public: &public, findings };
        file.ast.items.iter().for_each(|item| api.item(item));
    }
}

/// The names of the types that are public somewhere.
fn public_types(items: &[Item]) -> Vec<String> {
    let mut names = Vec::new();
    for item in items {
        match item {
            Item::Struct(item) if is_public(&item.vis) => names.push(item.ident.to_string()),
            Item::Enum(item) if is_public(&item.vis) => names.push(item.ident.to_string()),
            Item::Mod(module) => names.extend(module.content.iter().flat_map(|(_, items)| public_types(items))),
            // A macro may write a public type: `pin_project! { pub struct … }`.
            Item::Macro(call) => names.extend(types_of_tokens(&call.mac.tokens.to_string())),
            _ => {}
        }
    }
    names
}

fn types_of_tokens(tokens: &str) -> Vec<String> {
    let words: Vec<&str> = tokens.split_whitespace().collect();
    words
        .windows(3)
        .filter(|words| words[0] == "pub" && matches!(words[1], "struct" | "enum"))
        .map(|words| words[2].to_owned())
        .collect()
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn collect_imports(items: &[Item], imports: &mut HashMap<String, String>) {
    for item in items {
        match item {
            Item::Use(item) => collect_names(None, &item.tree, imports),
            Item::Mod(module) => {
                module.content.iter().for_each(|(_, items)| collect_imports(items, imports));
            }
            _ => {}
        }
    }
}

/// Local name → the first segment of its path.
fn collect_names(root: Option<&str>, tree: &UseTree, imports: &mut HashMap<String, String>) {
    match tree {
        UseTree::Path(path) => {
            let ident = path.ident.to_string();
            let root = root.unwrap_or(&ident).to_owned();
            if let UseTree::Group(group) = &*path.tree
                && group.items.iter().any(|tree| matches!(tree, UseTree::Name(name) if name.ident == "self"))
            {
                imports.insert(ident, root.clone());
            }
            collect_names(Some(&root), &path.tree, imports);
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| collect_names(root, tree, imports)),
        UseTree::Name(name) => {
            let ident = name.ident.to_string();
            imports.insert(ident.clone(), root.unwrap_or(&ident).to_owned());
        }
        UseTree::Rename(rename) => {
            let root = root.map_or_else(|| rename.ident.to_string(), str::to_owned);
            imports.insert(rename.rename.to_string(), root);
        }
        UseTree::Glob(_) => {}
    }
}

struct Api<'a> {
    file: &'a SourceFile,
    crates: &'a Crates,
    imports: HashMap<String, String>,
    public: &'a HashSet<String>,
    findings: &'a mut Vec<Finding>,
}

impl Api<'_> {
    fn item(&mut self, item: &Item) {
        match item {
            Item::Fn(item) if is_public(&item.vis) => self.signature(&item.sig),
            Item::Struct(item) if is_public(&item.vis) => {
                self.visit_generics(&item.generics);
                item.fields.iter().filter(|field| shows(&field.vis, &field.attrs)).for_each(|field| {
                    self.visit_type(&field.ty);
                });
            }
            Item::Enum(item) if is_public(&item.vis) => {
                self.visit_generics(&item.generics);
                item.variants.iter().flat_map(|variant| &variant.fields).for_each(|field| self.visit_type(&field.ty));
            }
            Item::Type(item) if is_public(&item.vis) => self.visit_type(&item.ty),
            Item::Const(item) if is_public(&item.vis) => self.visit_type(&item.ty),
            Item::Static(item) if is_public(&item.vis) => self.visit_type(&item.ty),
            Item::Trait(item) if is_public(&item.vis) => self.definition(item),
            Item::Use(item) if is_public(&item.vis) => self.re_export(&item.tree),
            Item::Impl(item) => self.implementation(item),
            Item::Mod(module) => {
                module.content.iter().flat_map(|(_, items)| items).for_each(|item| self.item(item));
            }
            _ => {}
        }
    }

    fn signature(&mut self, signature: &Signature) {
        self.visit_generics(&signature.generics);
        for input in &signature.inputs {
            if let FnArg::Typed(argument) = input {
                self.visit_type(&argument.ty);
            }
        }
        self.visit_return_type(&signature.output);
    }

    fn definition(&mut self, item: &syn::ItemTrait) {
        self.visit_generics(&item.generics);
        item.supertraits.iter().for_each(|bound| self.visit_type_param_bound(bound));
        for item in &item.items {
            match item {
                TraitItem::Fn(function) => self.signature(&function.sig),
                TraitItem::Type(associated) => {
                    associated.bounds.iter().for_each(|bound| self.visit_type_param_bound(bound));
                }
                TraitItem::Const(constant) => self.visit_type(&constant.ty),
                _ => {}
            }
        }
    }

    fn implementation(&mut self, block: &syn::ItemImpl) {
        if !self.is_public_type(&block.self_ty) {
            return;
        }
        if let Some((_, path, _)) = &block.trait_ {
            self.visit_path(path);
            self.visit_generics(&block.generics);
        }
        for item in &block.items {
            match item {
                ImplItem::Fn(function) if is_public(&function.vis) => self.signature(&function.sig),
                ImplItem::Const(constant) if is_public(&constant.vis) => self.visit_type(&constant.ty),
                ImplItem::Type(associated) if block.trait_.is_some() => self.visit_type(&associated.ty),
                _ => {}
            }
        }
    }

    /// Everything but a type of this crate that is nowhere `pub`.
    fn is_public_type(&self, ty: &syn::Type) -> bool {
        match ty {
            syn::Type::Path(path) => path.path.segments.last().is_some_and(|last| {
                let name = last.ident.to_string();
                self.public.contains(&name) || self.imports.get(&name).is_some_and(|root| self.crates.0.contains(root))
            }),
            syn::Type::Reference(reference) => self.is_public_type(&reference.elem),
            _ => false,
        }
    }

    fn re_export(&mut self, tree: &UseTree) {
        let mut names = HashMap::new();
        collect_names(None, tree, &mut names);
        let roots: HashSet<String> = names.into_values().chain(root_of(tree)).collect();
        for root in roots {
            self.name(&root, tree.span().start().line, "re-exports");
        }
    }

    fn name(&mut self, first: &str, line: usize, how: &str) {
        let root = self.imports.get(first).map_or(first, String::as_str).to_owned();
        if self.crates.0.contains(&root) {
            let text = format!("{how} a type of {root} in the public API: wrap it in a type of our own");
            self.findings.push(Finding { rule: Rule::PublicApi, path: self.file.path.clone(), line, text });
        }
    }
}

impl<'ast> Visit<'ast> for Api<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(first) = path.segments.first() {
            self.name(&first.ident.to_string(), path.span().start().line, "shows");
        }
        visit::visit_path(self, path);
    }

    fn visit_generics(&mut self, generics: &'ast Generics) {
        visit::visit_generics(self, generics);
    }
}

/// The first segment, also of `pub use redis::*`.
fn root_of(tree: &UseTree) -> Option<String> {
    match tree {
        UseTree::Path(path) => Some(path.ident.to_string()),
        _ => None,
    }
}

/// `#[from]` makes a conversion, which is public whatever the field is.
fn shows(visibility: &Visibility, attributes: &[Attribute]) -> bool {
    is_public(visibility) || attributes.iter().any(|attribute| attribute.path().is_ident("from"))
}
