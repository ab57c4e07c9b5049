//! Origins that resemble an allowed one.

/// What careless comparisons let in: beginnings, ends, and dots that stand for any character.
pub(super) fn lookalikes(origin: &str) -> Vec<String> {
    let Some((scheme, rest)) = origin.split_once("://") else { return Vec::new() };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(']') || !port.is_empty() => (host, format!(":{port}")),
        _ => (rest, String::new()),
    };
    let mut all = vec![format!("{scheme}://{host}.edge-check.test{port}")];
    let is_name = host.contains('.')
        && !host.contains([':', '*'])
        && !host.split('.').all(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    if is_name {
        // Of a name with subdomains, what is registered: `app.example.com` is one of `example.com`.
        let labels: Vec<&str> = host.split('.').collect();
        let (subdomains, registered) = labels.split_at(labels.len().saturating_sub(2));
        let before = subdomains.iter().fold(String::new(), |text, label| text + label + ".");
        all.push(format!("{scheme}://{before}edge-check{}{port}", registered.join(".")));
        all.push(format!("{scheme}://{}{port}", host.replacen('.', "x", 1)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_what_attackers_register() {
        let of = |origin| lookalikes(origin);
        assert_eq!(
            of("https://app.example.com"),
            ["https://app.example.com.edge-check.test", "https://app.edge-checkexample.com", "https://appxexample.com"]
        );
        assert_eq!(of("http://localhost:3000"), ["http://localhost.edge-check.test:3000"]);
        assert_eq!(of("http://127.0.0.1:80"), ["http://127.0.0.1.edge-check.test:80"]);
        assert_eq!(of("null"), [""; 0]);
    }
}
