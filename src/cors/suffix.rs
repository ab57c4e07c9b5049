//! Domains below which anybody can have a subdomain.

/// Shared hosting and second-level registries that people are most likely to write `*.` before. By no
/// means all: with the feature `psl`, the whole Public Suffix List is asked too.
const SHARED: &[&str] = &[
    "a.run.app",
    "ac.uk",
    "amplifyapp.com",
    "appspot.com",
    "azurestaticapps.net",
    "azurewebsites.net",
    "blogspot.com",
    "cloudflare.net",
    "cloudfront.net",
    "co.in",
    "co.jp",
    "co.kr",
    "co.nz",
    "co.uk",
    "co.za",
    "com.ar",
    "com.au",
    "com.br",
    "com.cn",
    "com.mx",
    "com.sg",
    "com.tr",
    "com.tw",
    "deno.dev",
    "firebaseapp.com",
    "fly.dev",
    "github.io",
    "gitlab.io",
    "glitch.me",
    "gov.uk",
    "herokuapp.com",
    "hf.space",
    "myshopify.com",
    "ne.jp",
    "net.au",
    "netlify.app",
    "ngrok-free.app",
    "ngrok.app",
    "ngrok.io",
    "onrender.com",
    "or.jp",
    "org.au",
    "org.uk",
    "pages.dev",
    "replit.app",
    "replit.dev",
    "run.app",
    "s3.amazonaws.com",
    "stackblitz.io",
    "surge.sh",
    "trycloudflare.com",
    "up.railway.app",
    "vercel.app",
    "web.app",
    "workers.dev",
];

/// Whether strangers may have subdomains of this domain: it has one label only, or is known for it.
pub(super) fn is_shared(domain: &str) -> bool {
    // Names below it never leave the machine (RFC 6761 §6.3).
    domain != "localhost" && (!domain.contains('.') || SHARED.contains(&domain) || is_listed(domain))
}

#[cfg(feature = "psl")]
fn is_listed(domain: &str) -> bool {
    psl::suffix_str(domain) == Some(domain)
}

#[cfg(not(feature = "psl"))]
fn is_listed(_: &str) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_and_shared_hosts_are_shared() {
        for domain in ["com", "example", "co.uk", "github.io", "vercel.app", "a.run.app"] {
            assert!(is_shared(domain), "{domain}");
        }
        for domain in ["example.com", "example.co.uk", "me.github.io", "localhost", "dev.localhost"] {
            assert!(!is_shared(domain), "{domain}");
        }
    }

    #[cfg(feature = "psl")]
    #[test]
    fn the_public_suffix_list_knows_more() {
        assert!(is_shared("eu.org") && is_shared("gov.ck") && !is_shared("example.gov.ck"));
    }

    #[test]
    fn the_list_is_in_order() {
        assert!(SHARED.is_sorted());
    }
}
