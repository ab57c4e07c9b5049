//! Only `gate/` polls, and only `rejection/` builds an error response.
//!
//! What counts as building an error response, outside `rejection/`, `conformance/` and `testing/`:
//! * a 4xx or 5xx constant of `StatusCode` that is used as a value: in a tuple, an argument, an
//!   assignment. Comparing with one, matching on one and `Rejection::from_status` are fine;
//! * `StatusCode::from_u16`, `.status(…)` with a literal of 400 or more;
//! * `.status_mut()`, unless a constant below 400 is assigned at once: what is set later can be any.

use syn::{
    BinOp, Expr, Lit,
    spanned::Spanned as _,
    visit::{self, Visit},
};

use super::{
    findings::{Finding, Rule},
    references::references,
    tree::{SourceFile, Tree},
};

/// Traits whose implementation polls.
const POLLED: &[&str] = &["Future", "Service", "Body", "HttpBody", "Stream"];

/// The constants of `StatusCode` from 400 on.
const ERRORS: &[&str] = &[
    "BAD_REQUEST",
    "UNAUTHORIZED",
    "PAYMENT_REQUIRED",
    "FORBIDDEN",
    "NOT_FOUND",
    "METHOD_NOT_ALLOWED",
    "NOT_ACCEPTABLE",
    "PROXY_AUTHENTICATION_REQUIRED",
    "REQUEST_TIMEOUT",
    "CONFLICT",
    "GONE",
    "LENGTH_REQUIRED",
    "PRECONDITION_FAILED",
    "PAYLOAD_TOO_LARGE",
    "URI_TOO_LONG",
    "UNSUPPORTED_MEDIA_TYPE",
    "RANGE_NOT_SATISFIABLE",
    "EXPECTATION_FAILED",
    "IM_A_TEAPOT",
    "MISDIRECTED_REQUEST",
    "UNPROCESSABLE_ENTITY",
    "LOCKED",
    "FAILED_DEPENDENCY",
    "TOO_EARLY",
    "UPGRADE_REQUIRED",
    "PRECONDITION_REQUIRED",
    "TOO_MANY_REQUESTS",
    "REQUEST_HEADER_FIELDS_TOO_LARGE",
    "UNAVAILABLE_FOR_LEGAL_REASONS",
    "INTERNAL_SERVER_ERROR",
    "NOT_IMPLEMENTED",
    "BAD_GATEWAY",
    "SERVICE_UNAVAILABLE",
    "GATEWAY_TIMEOUT",
    "HTTP_VERSION_NOT_SUPPORTED",
    "VARIANT_ALSO_NEGOTIATES",
    "INSUFFICIENT_STORAGE",
    "LOOP_DETECTED",
    "NOT_EXTENDED",
    "NETWORK_AUTHENTICATION_REQUIRED",
];

pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for file in tree.product() {
        if !file.is_under("gate") {
            check_polling(file, findings);
        }
        if !["rejection", "conformance", "testing"].iter().any(|folder| file.is_under(folder)) {
            Responses { file, findings }.visit_file(&file.ast);
        }
    }
}

fn check_polling(file: &SourceFile, findings: &mut Vec<Finding>) {
    Polling { file, findings }.visit_file(&file.ast);
    for reference in references(file) {
        if reference.ends_with(&["poll_fn"]) {
            findings.push(Finding {
                rule: Rule::Mechanism,
                path: file.path.clone(),
                line: reference.line,
                text: "`poll_fn` is a future written by hand: only gate/ polls".to_owned(),
            });
        }
    }
}

struct Polling<'a> {
    file: &'a SourceFile,
    findings: &'a mut Vec<Finding>,
}

impl<'ast> Visit<'ast> for Polling<'_> {
    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        if let Some((_, path, _)) = &block.trait_
            && let Some(name) = path.segments.last().map(|segment| segment.ident.to_string())
            && POLLED.contains(&name.as_str())
        {
            self.findings.push(Finding {
                rule: Rule::Mechanism,
                path: self.file.path.clone(),
                line: path.span().start().line,
                text: format!("implements `{name}`: only gate/ polls"),
            });
        }
        visit::visit_item_impl(self, block);
    }
}

struct Responses<'a> {
    file: &'a SourceFile,
    findings: &'a mut Vec<Finding>,
}

impl Responses<'_> {
    fn add(&mut self, line: usize, what: &str) {
        self.findings.push(Finding {
            rule: Rule::ErrorResponse,
            path: self.file.path.clone(),
            line,
            text: format!("{what} builds an error response: return a Rejection"),
        });
    }
}

impl<'ast> Visit<'ast> for Responses<'_> {
    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        if let Some(name) = error_status(path) {
            self.add(path.span().start().line, &format!("`StatusCode::{name}`"));
        }
    }

    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        let compares = matches!(
            binary.op,
            BinOp::Eq(_) | BinOp::Ne(_) | BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_)
        );
        for side in [&*binary.left, &*binary.right] {
            if !(compares && matches!(side, Expr::Path(_))) {
                self.visit_expr(side);
            }
        }
    }

    fn visit_expr_assign(&mut self, assign: &'ast syn::ExprAssign) {
        let harmless = matches!(&*assign.right, Expr::Path(path) if is_status(path) && error_status(path).is_none());
        if !(harmless && is_status_mut(&assign.left)) {
            visit::visit_expr_assign(self, assign);
        }
    }

    /// A pattern only looks.
    fn visit_pat(&mut self, _: &'ast syn::Pat) {}

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        let callee = match &*call.func {
            Expr::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default(),
            _ => String::new(),
        };
        match callee.as_str() {
            "from_status" => {}
            "from_u16" if call.args.iter().any(is_error_literal) => {
                self.add(call.span().start().line, "`from_u16`");
            }
            _ => visit::visit_expr_call(self, call),
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let line = call.method.span().start().line;
        if call.method == "status_mut" {
            self.add(line, "`.status_mut()`");
        } else if call.method == "status" && call.args.iter().any(is_error_literal) {
            self.add(line, "`.status(…)`");
        }
        visit::visit_expr_method_call(self, call);
    }
}

/// `*response.status_mut()`
fn is_status_mut(expression: &Expr) -> bool {
    matches!(expression, Expr::Unary(unary)
        if matches!(&*unary.expr, Expr::MethodCall(call) if call.method == "status_mut"))
}

/// `StatusCode::X`
fn is_status(path: &syn::ExprPath) -> bool {
    path.path.segments.iter().rev().nth(1).is_some_and(|of| of.ident == "StatusCode")
}

fn error_status(path: &syn::ExprPath) -> Option<&'static str> {
    let name = path.path.segments.last()?.ident.to_string();
    ERRORS.iter().copied().find(|error| *error == name).filter(|_| is_status(path))
}

fn is_error_literal(expression: &Expr) -> bool {
    matches!(expression, Expr::Lit(literal)
        if matches!(&literal.lit, Lit::Int(number) if number.base10_parse::<u16>().is_ok_and(|number| number >= 400)))
}
