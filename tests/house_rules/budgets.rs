//! How long files and functions may be.

use syn::{
    Block, Ident,
    spanned::Spanned as _,
    visit::{self, Visit},
};

use super::{
    findings::{Finding, Rule},
    tree::{SourceFile, Tree},
};

const FILE: usize = 400;
const FUNCTION: usize = 60;

/// Files of tests have the same budget; only their functions have none.
pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for file in &tree.files {
        check_file(file, findings);
    }
    for file in tree.product() {
        Functions { file, findings }.visit_file(&file.ast);
    }
}

pub(crate) fn check_file(file: &SourceFile, findings: &mut Vec<Finding>) {
    if file.lines > FILE {
        let text = format!("{} lines, and {FILE} are allowed", file.lines);
        findings.push(Finding { rule: Rule::FileLength, path: file.path.clone(), line: file.lines, text });
    }
}

struct Functions<'a> {
    file: &'a SourceFile,
    findings: &'a mut Vec<Finding>,
}

impl Functions<'_> {
    fn measure(&mut self, name: &Ident, from: usize, block: &Block) {
        let lines = block.span().end().line - from + 1;
        if lines > FUNCTION {
            self.findings.push(Finding {
                rule: Rule::FunctionLength,
                path: self.file.path.clone(),
                line: from,
                text: format!("`{name}` has {lines} lines, and {FUNCTION} are allowed"),
            });
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig.ident, function.sig.fn_token.span().start().line, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig.ident, function.sig.fn_token.span().start().line, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.measure(&function.sig.ident, function.sig.fn_token.span().start().line, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}
