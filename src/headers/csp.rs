//! What a `Content-Security-Policy` must be to do what it says (CSP Level 3 §2.2).

/// Keywords that mean a host name when their quotes are forgotten.
const KEYWORDS: &[&str] =
    &["none", "self", "strict-dynamic", "report-sample", "unsafe-eval", "unsafe-hashes", "unsafe-inline"];

/// What is wrong with a policy, and the cure.
pub(super) fn check(policy: &str) -> Result<(), (String, &'static str)> {
    if !policy.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(("holds characters other than visible ASCII".into(), "write one line of ASCII"));
    }
    if policy.contains(',') {
        return Err(("holds a comma, which begins another policy".into(), "separate directives with `;`"));
    }
    let mut seen: Vec<String> = Vec::new();
    for directive in policy.split(';').map(str::trim).filter(|directive| !directive.is_empty()) {
        let mut words = directive.split_ascii_whitespace();
        let name = words.next().unwrap_or_default().to_ascii_lowercase();
        if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') {
            return Err((format!("{name:?} is not a directive"), "begin with a name such as default-src"));
        }
        if let Some(word) = words.find(|word| is_unquoted(word)) {
            return Err((format!("{word:?} lacks its quotes, so it is a host name"), "write it in single quotes"));
        }
        if seen.contains(&name) {
            return Err((format!("{name:?} stands twice, and the second is ignored"), "join the two"));
        }
        seen.push(name);
    }
    if seen.is_empty() {
        return Err(("is empty".into(), "name a directive, or use without()"));
    }
    Ok(())
}

fn is_unquoted(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    KEYWORDS.contains(&word.as_str()) || ["nonce-", "sha256-", "sha384-", "sha512-"].iter().any(|p| word.starts_with(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_that_do_not_do_what_they_say_are_refused() {
        for policy in [
            "",
            " ; ",
            "default-src self",
            "default-src 'self'; script-src NONE",
            "script-src nonce-abc",
            "default-src 'self'; default-src 'none'",
            "default-src 'self', script-src 'none'",
            "default-src 'self'\r\nX-Evil: 1",
            "default-src bücher.example",
            "'self'",
        ] {
            assert!(check(policy).is_err(), "{policy:?}");
        }
        for policy in [
            "default-src 'none'; frame-ancestors 'none'",
            "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'",
            "upgrade-insecure-requests; img-src https: data:;",
            "script-src 'nonce-abc' https://self.example",
        ] {
            assert_eq!(check(policy), Ok(()), "{policy:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(policy in "\\PC{0,60}") {
            let _ = check(&policy);
        }
    }
}
