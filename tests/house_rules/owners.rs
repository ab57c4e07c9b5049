//! What only some files may name: the crates that have one owner, the clock, and HTTP in pure
//! files.
//!
//! A file is judged by what it names itself, not by what its imports name in turn.

use syn::{
    ExprMethodCall,
    visit::{self, Visit},
};

use super::{
    findings::{Finding, Rule},
    references::{Reference, references},
    tree::{SourceFile, Tree},
};

/// A crate, and the folders that may name it.
const OWNERS: &[(&str, &[&str])] = &[
    ("redis", &["backend/redis"]),
    ("rustls", &["backend/redis"]),
    ("sqlx", &["backend/sql"]),
    ("jsonwebtoken", &["auth/jwt", "testing"]),
    ("jwks_client_rs", &["auth/jwt", "testing"]),
    ("x509_parser", &["auth/mtls"]),
    ("psl", &["cors/suffix"]),
    ("aws_lc_rs", &["auth/jwt", "testing"]),
    ("jsonschema", &["validate/schema"]),
];

/// Logic that is to be tested without a server and without a runtime. A name that ends with a
/// slash is a folder; `**/` stands for any folder. A name that is no file fails the check.
const PURE: &[&str] = &[
    "time/",
    "secret/set.rs",
    "config_error.rs",
    "identity/scopes.rs",
    "identity/word_index.rs",
    "identity/grant.rs",
    "identity/claims.rs",
    "identity/text.rs",
    "identity/details.rs",
    "identity/role_table.rs",
    "blocks/block.rs",
    "blocks/table.rs",
    "ip_filter/lints.rs",
    "ip_filter/lists.rs",
    "request/address.rs",
    "request/cidr.rs",
    "request/cidr_index.rs",
    "request/cidr_table.rs",
    "request/client_ip.rs",
    "request/forwarded/grammar.rs",
    "request/forwarded/node.rs",
    "request/forwarded/walk.rs",
    "request/forwarded/x_forwarded_for.rs",
    "request/lints.rs",
    "request/proxies.rs",
    "request/scheme.rs",
    "auth/grammar.rs",
    "auth/dpop/fault.rs",
    "auth/dpop/htu.rs",
    "auth/dpop/jwk.rs",
    "auth/dpop/nonce.rs",
    "auth/dpop/proof.rs",
    "auth/introspection/response.rs",
    "auth/mtls/header.rs",
    "auth/mtls/spiffe.rs",
    "auth/api_key/crc.rs",
    "auth/api_key/digest.rs",
    "auth/api_key/format.rs",
    "auth/api_key/hasher.rs",
    "auth/api_key/record.rs",
    "auth/api_key/record_builder.rs",
    "auth/api_key/slow.rs",
    "auth/api_key/uses.rs",
    "auth/jwt/algorithm.rs",
    "auth/jwt/bound.rs",
    "auth/jwt/claim_fields.rs",
    "auth/jwt/claim_names.rs",
    "auth/jwt/claims.rs",
    "auth/jwt/dates.rs",
    "auth/jwt/header.rs",
    "auth/jwt/issuer_check.rs",
    "auth/jwt/key_set.rs",
    "auth/jwt/known_headers.rs",
    "auth/jwt/profile.rs",
    "auth/jwt/scan.rs",
    "auth/jwt/texts.rs",
    "auth/jwt/token.rs",
    "auth/logout/claims.rs",
    "auth/logout/form.rs",
    "auth/revocation/revoked.rs",
    "auth/signed/derived.rs",
    "auth/signed/algorithm.rs",
    "auth/signed/sigv4/authorization.rs",
    "auth/signed/sigv4/time.rs",
    "auth/signed/message/digest.rs",
    "auth/signed/message/input.rs",
    "auth/signed/message/policy.rs",
    "auth/signed/message/query.rs",
    "authz/requirement.rs",
    "authz/fields/field.rs",
    "authz/fields/json.rs",
    "authz/object/decide.rs",
    "authz/object/width.rs",
    "authz/catalogue.rs",
    "authz/matrix/parse.rs",
    "authz/policy/hours.rs",
    "authz/policy/lattice.rs",
    "authz/rar/amount.rs",
    "authz/step_up/requirement.rs",
    "rate_limit/simulate/",
    "rate_limit/algorithm/",
    "rate_limit/blocking.rs",
    "rate_limit/breaker/",
    "rate_limit/picks.rs",
    "rate_limit/preset.rs",
    "rate_limit/rate.rs",
    "rate_limit/shadow.rs",
    "rate_limit/state.rs",
    "rate_limit/state_bytes.rs",
    "rate_limit/cas/record.rs",
    "rate_limit/owned.rs",
    "quota/period.rs",
    "headers/csp/",
    "observatory/csp.rs",
    "headers/permissions.rs",
    "graphql/asked.rs",
    "graphql/costs.rs",
    "graphql/document.rs",
    "graphql/document/",
    "graphql/fault.rs",
    "graphql/judge.rs",
    "graphql/lexer.rs",
    "graphql/measure.rs",
    "graphql/variables.rs",
    "versioning/accept.rs",
    "versioning/date.rs",
    "versioning/path.rs",
    "versioning/usage.rs",
    "cors/address.rs",
    "cors/asked.rs",
    "cors/fault.rs",
    "cors/grammar.rs",
    "cors/lints.rs",
    "cors/names.rs",
    "cors/settings.rs",
    "cors/suffix.rs",
    "cors/validate.rs",
    "webhook/mac.rs",
    "webhook/signature.rs",
    "webhook/timestamp.rs",
    "validate/path.rs",
    "validate/percent.rs",
    "validate/media.rs",
    "validate/json.rs",
    "validate/schema/coerce.rs",
    "validate/schema/engine.rs",
    "validate/schema/query.rs",
    "validate/schema/survey.rs",
    "validate/schema/words.rs",
    "audit/json.rs",
    "audit/redact/",
    "**/plan.rs",
    "**/origin.rs",
    "**/canonical.rs",
];

/// What a pure file does not name.
const IMPURE_CRATES: &[&str] =
    &["http", "http_body", "http_body_util", "axum", "tower", "tower_layer", "tower_service", "tower_http", "tokio"];

/// Readings of a clock. `governor`'s constructors are here because they bring a clock of their own;
/// the ones that end with `_with_clock` do not.
const CLOCKS: &[&[&str]] = &[
    &["Instant", "now"],
    &["SystemTime", "now"],
    &["Utc", "now"],
    &["Zoned", "now"],
    &["jiff", "Timestamp", "now"],
    &["RateLimiter", "direct"],
    &["RateLimiter", "keyed"],
    &["RateLimiter", "dashmap"],
    &["RateLimiter", "hashmap"],
    &["clock", "DefaultClock"],
    &["clock", "MonotonicClock"],
    &["clock", "QuantaClock"],
];

pub(crate) fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for file in tree.product() {
        let pure = is_pure(&file.path);
        for reference in references(file) {
            check_owner(file, &reference, findings);
            if pure {
                check_pure(file, &reference, findings);
            }
            if !file.is_under("time") && CLOCKS.iter().any(|clock| reference.ends_with(clock)) {
                let text = format!("{} reads a clock: take `now` as an argument", reference.text());
                findings.push(finding(Rule::Clock, file, reference.line, text));
            }
        }
        if !file.is_under("time") {
            Elapsed { file, findings }.visit_file(&file.ast);
        }
    }
}

fn finding(rule: Rule, file: &SourceFile, line: usize, text: String) -> Finding {
    Finding { rule, path: file.path.clone(), line, text }
}

fn check_owner(file: &SourceFile, reference: &Reference, findings: &mut Vec<Finding>) {
    for (name, folders) in OWNERS {
        if reference.names_crate(name) && !folders.iter().any(|folder| file.is_under(folder)) {
            let text = format!("names {}: only {} may", reference.text(), folders.join(" and "));
            findings.push(finding(Rule::Owner, file, reference.line, text));
        }
    }
}

fn check_pure(file: &SourceFile, reference: &Reference, findings: &mut Vec<Finding>) {
    if let Some(name) = IMPURE_CRATES.iter().find(|name| reference.names_crate(name)) {
        let text = format!("is pure, but names {} of {name}", reference.text());
        findings.push(finding(Rule::Pure, file, reference.line, text));
    }
}

fn is_pure(path: &str) -> bool {
    PURE.iter().any(|pattern| matches(pattern, path))
}

fn matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_prefix("**/") {
        Some(name) => path.rsplit('/').next() == Some(name),
        None if pattern.ends_with('/') => path.starts_with(pattern),
        None => path == pattern,
    }
}

/// Rows of `PURE` that rule over nothing, because a file was renamed. Folders that hold one file
/// are still to be written, and files of any folder need not exist.
pub(crate) fn stale(tree: &Tree) -> Vec<String> {
    let is_written = |top: &str| tree.files.iter().filter(|file| file.top() == Some(top)).nth(1).is_some();
    PURE.iter()
        .filter(|pattern| !pattern.starts_with("**/") && !tree.files.iter().any(|file| matches(pattern, &file.path)))
        .filter(|pattern| pattern.split_once('/').is_some_and(|(top, _)| is_written(top)))
        .map(|pattern| format!("`{pattern}` of PURE is no file: correct it in tests/house_rules/owners.rs"))
        .collect()
}

/// `started.elapsed()` reads a clock without naming one.
struct Elapsed<'a> {
    file: &'a SourceFile,
    findings: &'a mut Vec<Finding>,
}

impl<'ast> Visit<'ast> for Elapsed<'_> {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if call.method == "elapsed" && call.args.is_empty() {
            let text = "`.elapsed()` reads a clock: take `now` as an argument".to_owned();
            self.findings.push(finding(Rule::Clock, self.file, call.method.span().start().line, text));
        }
        visit::visit_expr_method_call(self, call);
    }
}
