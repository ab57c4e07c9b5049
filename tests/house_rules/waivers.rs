//! What owners allow reaches the audit log: who has `allow_lint` hands on what it allowed.
//!
//! A folder with a method of that name calls `Report::waivers` somewhere; what that makes is good for
//! `RequestContext::announce` only.

use std::collections::BTreeMap;

use syn::{
    spanned::Spanned as _,
    visit::{self, Visit},
};

use super::{
    findings::{Finding, Rule},
    tree::Tree,
};

#[derive(Default)]
struct Seen {
    /// Where the method stands.
    allows: Option<(String, usize)>,
    hands_on: bool,
}

struct Look<'a> {
    path: &'a str,
    seen: &'a mut Seen,
}

impl<'ast> Visit<'ast> for Look<'_> {
    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if function.sig.ident == "allow_lint" {
            self.seen.allows.get_or_insert((self.path.to_owned(), function.sig.span().start().line));
        }
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.seen.hands_on |= call.method == "waivers";
        visit::visit_expr_method_call(self, call);
    }
}

pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let mut tops: BTreeMap<&str, Seen> = BTreeMap::new();
    for file in tree.product() {
        let Some(top) = file.top() else { continue };
        Look { path: &file.path, seen: tops.entry(top).or_default() }.visit_file(&file.ast);
    }
    for (top, seen) in tops {
        if let (Some((path, line)), false) = (seen.allows, seen.hands_on) {
            let text = format!("{top} has allow_lint, and announces to the audit log nothing of what it allows");
            findings.push(Finding { rule: Rule::Waivers, path, line, text });
        }
    }
}
