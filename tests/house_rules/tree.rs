//! A tree of source files, parsed, with everything that only tests see taken out.

use std::{collections::HashSet, fs, path::Path};

use syn::{
    Attribute, File, ImplItem, Item, Stmt,
    visit_mut::{self, VisitMut},
};

/// The sources of one crate: paths are relative to `src`, with forward slashes.
pub(crate) struct Tree {
    pub(crate) files: Vec<SourceFile>,
}

pub(crate) struct SourceFile {
    pub(crate) path: String,
    /// Lines of the whole file, tests and comments included.
    pub(crate) lines: usize,
    /// Only tests see this file.
    pub(crate) is_test: bool,
    /// The file without `#[cfg(test)]` items.
    pub(crate) ast: File,
}

impl Tree {
    /// Every `.rs` file under `root`.
    pub(crate) fn read(root: &Path) -> Self {
        let mut sources = Vec::new();
        collect(root, root, &mut sources);
        sources.sort();
        Self::of(sources.iter().map(|(path, text)| (path.as_str(), text.as_str())))
    }

    /// A tree that need not exist.
    pub(crate) fn of<'a>(sources: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut test_modules = HashSet::new();
        let mut files: Vec<SourceFile> = sources
            .into_iter()
            .map(|(path, text)| {
                let mut ast = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
                note_test_modules(path, &ast, &mut test_modules);
                Prune.visit_file_mut(&mut ast);
                SourceFile { path: path.to_owned(), lines: text.lines().count(), is_test: false, ast }
            })
            .collect();
        for file in &mut files {
            file.is_test = is_test_path(&file.path, &test_modules);
        }
        Self { files }
    }

    /// The files that are part of the product.
    pub(crate) fn product(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|file| !file.is_test)
    }
}

impl SourceFile {
    /// `gate/mod.rs` and `gate/future.rs` are in `gate`; `secret.rs` is `secret`; `lib.rs` is the root.
    pub(crate) fn top(&self) -> Option<&str> {
        match self.path.split_once('/') {
            Some((top, _)) => Some(top),
            None => self.path.strip_suffix(".rs").filter(|name| *name != "lib"),
        }
    }

    /// `["crate", "gate", "future"]` for `gate/future.rs`.
    pub(crate) fn module(&self) -> Vec<String> {
        let mut module = vec!["crate".to_owned()];
        let stem = self.path.strip_suffix(".rs").unwrap_or(&self.path);
        module.extend(stem.split('/').filter(|part| !matches!(*part, "mod" | "lib")).map(str::to_owned));
        module
    }

    pub(crate) fn is_under(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
    }
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("target") || path.ends_with("node_modules") {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            sources.push((relative, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// `#[cfg(test)] mod fixtures;` makes `fixtures.rs` and `fixtures/` tests; with `#[path = "…"]` it is
/// that file.
fn note_test_modules(path: &str, ast: &File, found: &mut HashSet<String>) {
    let folder = match path.rsplit_once('/') {
        Some((folder, "mod.rs")) => format!("{folder}/"),
        _ if path == "lib.rs" => String::new(),
        _ => format!("{}/", path.strip_suffix(".rs").unwrap_or(path)),
    };
    let beside = path.rsplit_once('/').map(|(folder, _)| format!("{folder}/")).unwrap_or_default();
    for item in &ast.items {
        if let Item::Mod(module) = item
            && module.content.is_none()
            && is_for_tests(&module.attrs)
        {
            found.insert(match path_attribute(&module.attrs) {
                Some(named) => format!("{beside}{}", named.strip_suffix(".rs").unwrap_or(&named)),
                None => format!("{folder}{}", module.ident),
            });
        }
    }
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("path")).find_map(|attribute| {
        match &attribute.meta {
            syn::Meta::NameValue(syn::MetaNameValue {
                value: syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }),
                ..
            }) => Some(text.value()),
            _ => None,
        }
    })
}

fn is_test_path(path: &str, test_modules: &HashSet<String>) -> bool {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    stem.split('/').any(|part| part == "tests")
        || test_modules.iter().any(|module| stem == module || stem.starts_with(&format!("{module}/")))
}

/// `#[test]`, `#[cfg(test)]` and `#[cfg(all(test, …))]`, but not `#[cfg(any(test, …))]`: that is
/// part of some product.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        if attribute.path().is_ident("test") {
            return true;
        }
        let syn::Meta::List(list) = &attribute.meta else { return false };
        let condition = list.tokens.to_string().replace(' ', "");
        list.path.is_ident("cfg")
            && (condition == "test" || condition.starts_with("all(test,") || condition.starts_with("all(test)"))
    })
}

struct Prune;

impl VisitMut for Prune {
    fn visit_file_mut(&mut self, file: &mut File) {
        file.items.retain(|item| !is_for_tests(item_attributes(item)));
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| !is_for_tests(item_attributes(item)));
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, block: &mut syn::ItemImpl) {
        block.items.retain(|item| match item {
            ImplItem::Fn(function) => !is_for_tests(&function.attrs),
            ImplItem::Const(constant) => !is_for_tests(&constant.attrs),
            _ => true,
        });
        visit_mut::visit_item_impl_mut(self, block);
    }

    fn visit_block_mut(&mut self, block: &mut syn::Block) {
        block.stmts.retain(|statement| match statement {
            Stmt::Local(local) => !is_for_tests(&local.attrs),
            Stmt::Item(item) => !is_for_tests(item_attributes(item)),
            _ => true,
        });
        visit_mut::visit_block_mut(self, block);
    }
}

pub(crate) fn item_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
