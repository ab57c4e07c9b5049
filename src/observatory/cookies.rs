//! Every `Set-Cookie`, as a cookie jar keeps it (RFC 6265bis §5.4).

use std::collections::BTreeMap;

use http::{HeaderMap, header};

use super::{
    fields::latin1,
    outcome::{self, Outcome},
};

/// Set by a load balancer for itself: the Observatory ignores it.
const IGNORED: &str = "heroku-session-affinity";

/// From bad to worse.
const ORDER: &[Outcome] = &[
    outcome::COOKIES_ONLY_HSTS,
    outcome::COOKIES_INSECURE,
    outcome::COOKIES_SESSION_ONLY_HSTS,
    outcome::COOKIES_BAD_SAMESITE,
    outcome::COOKIES_ANTICSRF,
    outcome::COOKIES_SESSION_READABLE,
    outcome::COOKIES_SESSION_INSECURE,
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum SameSite {
    Unset,
    Strict,
    None,
}

struct Cookie {
    name: String,
    domain: Option<String>,
    path: Option<String>,
    secure: bool,
    http_only: bool,
    same_site: SameSite,
}

/// `hsts`: whether browsers keep to HTTPS.
pub(super) fn judge(headers: &HeaderMap, hsts: bool) -> Outcome {
    let lines: Vec<String> = headers.get_all(header::SET_COOKIE).iter().map(|line| latin1(line.as_bytes())).collect();
    let mut jar = BTreeMap::new();
    for cookie in lines.iter().filter_map(|line| parse(line)).filter(is_kept) {
        let place = (cookie.name.clone(), cookie.domain.clone(), cookie.path.clone().unwrap_or_else(|| "/".into()));
        jar.insert(place, cookie);
    }
    jar.retain(|(name, ..), _| name != IGNORED);
    if jar.is_empty() {
        return outcome::COOKIES_ABSENT;
    }
    let mut faults: Vec<Outcome> = Vec::new();
    if lines.iter().any(|line| has_unknown_same_site(line)) {
        faults.push(outcome::COOKIES_BAD_SAMESITE);
    }
    for cookie in jar.values() {
        look(cookie, hsts, &mut faults);
    }
    let rank = |fault: &Outcome| ORDER.iter().position(|known| known == fault);
    let best = if jar.values().any(|cookie| cookie.same_site == SameSite::Unset) {
        outcome::COOKIES_SECURE
    } else {
        outcome::COOKIES_STRICT
    };
    faults.into_iter().max_by_key(rank).unwrap_or(best)
}

fn look(cookie: &Cookie, hsts: bool, faults: &mut Vec<Outcome>) {
    let name = cookie.name.to_lowercase();
    let session = name.contains("login") || name.contains("sess");
    let found = [
        (!cookie.secure && cookie.same_site == SameSite::None, outcome::COOKIES_BAD_SAMESITE),
        (!cookie.secure, if hsts { outcome::COOKIES_ONLY_HSTS } else { outcome::COOKIES_INSECURE }),
        (name.contains("csrf") && cookie.same_site == SameSite::Unset, outcome::COOKIES_ANTICSRF),
        (
            session && !cookie.secure,
            if hsts { outcome::COOKIES_SESSION_ONLY_HSTS } else { outcome::COOKIES_SESSION_INSECURE },
        ),
        (session && !cookie.http_only, outcome::COOKIES_SESSION_READABLE),
    ];
    faults.extend(found.into_iter().filter(|(found, _)| *found).map(|(_, fault)| fault));
}

fn parse(line: &str) -> Option<Cookie> {
    let mut parts = line.split(';');
    // The jar trims the whole line first, so that only a name without a character is none.
    let (name, value) = parts.next()?.trim_start().split_once('=').filter(|(name, _)| !name.is_empty())?;
    let name = name.trim();
    if name.contains('\t') || value.trim().contains('\t') {
        return None;
    }
    let mut cookie = Cookie {
        name: name.to_owned(),
        domain: None,
        path: None,
        secure: false,
        http_only: false,
        same_site: SameSite::Unset,
    };
    for attribute in parts {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let value = value.trim();
        match &*key.trim().to_lowercase() {
            "domain" => {
                let domain = value.strip_prefix('.').unwrap_or(value).to_lowercase();
                cookie.domain = Some(domain).filter(|at| !at.is_empty()).or(cookie.domain);
            }
            "path" => cookie.path = Some(value.to_owned()).filter(|path| path.starts_with('/')),
            "secure" => cookie.secure = true,
            "httponly" => cookie.http_only = true,
            "samesite" => {
                cookie.same_site = match &*value.to_lowercase() {
                    "strict" | "lax" => SameSite::Strict,
                    "none" => SameSite::None,
                    _ => SameSite::Unset,
                };
            }
            _ => {}
        }
    }
    Some(cookie)
}

/// A name with a promise in it (RFC 6265bis §4.1.3) that is not kept is no cookie.
fn is_kept(cookie: &Cookie) -> bool {
    let at_host = cookie.secure && cookie.domain.is_none() && cookie.path.as_deref().is_none_or(|path| path == "/");
    let broken = |prefix, kept: bool| !kept && cookie.name.starts_with(prefix);
    !broken("__Secure-", cookie.secure) && !broken("__Host-", at_host)
}

fn has_unknown_same_site(line: &str) -> bool {
    line.split(';').any(|part| {
        let mut halves = part.trim().split('=');
        let key = halves.next().unwrap_or_default().trim().to_lowercase();
        let value = halves.next().unwrap_or_default().trim().to_lowercase();
        key == "samesite" && !["lax", "strict", "none"].contains(&&*value)
    })
}
