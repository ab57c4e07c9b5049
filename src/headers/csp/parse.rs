use super::{Csp, Directive, Rule, Source};

/// Directives that no browser follows any more, and what to do instead.
const GONE: &[(&str, &str)] = &[
    ("block-all-mixed-content", "use upgrade-insecure-requests"),
    ("navigate-to", "leave it out: no browser knows it"),
    ("plugin-types", "use object-src 'none'"),
    ("prefetch-src", "leave it out: no browser knows it"),
    ("referrer", "use the Referrer-Policy header"),
    ("reflected-xss", "leave it out: no browser knows it"),
    ("require-sri-for", "leave it out: no browser knows it"),
];

/// Mistakes are kept in what is returned.
pub(super) fn parse(policy: &str) -> Csp {
    if !policy.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return refused("holds characters other than visible ASCII", "write one line of ASCII");
    }
    if policy.contains(',') {
        return refused("holds a comma, which begins another policy", "separate directives with `;`");
    }
    policy.split(';').fold(Csp::new(), directive)
}

fn refused(reason: &'static str, cure: &'static str) -> Csp {
    Csp { faults: vec![(reason.into(), cure)], ..Csp::new() }
}

fn directive(mut csp: Csp, text: &str) -> Csp {
    let mut words = text.split_ascii_whitespace();
    let Some(name) = words.next().map(str::to_ascii_lowercase) else { return csp };
    if let Some(directive) = Directive::ALL.iter().find(|directive| directive.as_str() == name) {
        let sources: Vec<Source> = words.map(|word| word.to_owned().into()).collect();
        return csp.allow(*directive, sources);
    }
    let words: Vec<&str> = words.collect();
    match (&*name, &*words) {
        ("upgrade-insecure-requests", []) => csp.upgrade_insecure_requests(),
        ("sandbox", flags) => csp.sandbox(flags.iter().copied()),
        ("report-to", [group]) => csp.report_to(group),
        ("report-uri", [address]) => csp.report_uri(address),
        ("report-uri", [first, ..]) if first.starts_with(['/', 'h']) => {
            let words = words.iter().map(ToString::to_string).collect();
            csp.push(Rule::Other("report-uri", words))
        }
        ("require-trusted-types-for", ["'script'"]) => csp.require_trusted_types(),
        ("trusted-types", names) => csp.trusted_types(names.iter().copied()),
        ("upgrade-insecure-requests" | "report-to" | "report-uri" | "require-trusted-types-for", _) => {
            csp.faults.push((format!("{name} has the wrong value").into(), "see its definition"));
            csp
        }
        _ => {
            let gone = GONE.iter().find(|(gone, _)| *gone == name);
            let cure = gone.map_or("see CSP Level 3 §6 for the directives that there are", |(_, cure)| *cure);
            csp.faults.push((format!("{name:?} is no directive that browsers know").into(), cure));
            csp
        }
    }
}
