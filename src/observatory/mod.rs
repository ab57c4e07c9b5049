//! How the MDN HTTP Observatory would grade a response's headers, without asking it.
//!
//! [Its scanner](https://developer.mozilla.org/en-US/observatory) looks at a public site once somebody
//! has deployed it. [`score`] applies the same table to a response in hand, so that a test fails before
//! that. It is pure: it opens no connection and reads no file.
//!
//! ```
//! use axum::{Router, body::Body, response::Html, routing::get};
//! use http::Request;
//! use portcullis::{headers::SecurityHeadersLayer, observatory, request::Scheme};
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let app = Router::new().route("/", get(|| async { Html("hello") })).layer(SecurityHeadersLayer::html());
//! let request = Request::get("https://shop.example/").body(Body::empty())?;
//! let response = app.oneshot(request).await?;
//!
//! let graded = observatory::score(response.headers(), Scheme::Https);
//! assert_eq!(graded.grade, "A+");
//! assert!(graded.score >= 100, "{graded}");
//! # Ok(()) }
//! ```
//!
//! # What is looked at
//! The rules are those of algorithm 4, of the npm package `@mdn/mdn-http-observatory` 1.4.8, which
//! `tests/interop` runs beside this module over generated headers. Several lines of one header count as one with
//! commas, as Node reads them; of a `Content-Security-Policy` with commas each part is a policy, as later versions
//! of the package have it (RFC 9110 §5.3, CSP Level 3 §2.2). A reflected origin is found, as the package's rule has it,
//! although its scanner looks for the request's `Origin` in the wrong place.
//!
//! | test | judged by | from | to |
//! |---|---|---|---|
//! | `content-security-policy` | all policies together | −25 | +10 |
//! | `cookies` | every `Set-Cookie` | −40 | +5 |
//! | `cross-origin-resource-sharing` | the answer to a [preflight](Scan::preflight) | −50 | 0 |
//! | `referrer-policy` | the last policy that is known | −5 | +5 |
//! | `strict-transport-security` | `max-age`, over HTTPS only | −20 | 0 |
//! | `x-content-type-options` | `nosniff` | −5 | 0 |
//! | `x-frame-options` | it, or `frame-ancestors` | −20 | +5 |
//! | `cross-origin-resource-policy` | whether it is narrow | −5 | +10 |
//!
//! A response begins with 100; what adds to it counts only where no more than 10 were lost. Not looked at, and
//! taken for neutral: redirections, the preload list, certificates, and what stands in the page (`<meta>`,
//! `<script>`). A cookie with a `Domain` is taken for one that the host may set.
//!
//! # Cost
//! It parses and allocates: made for tests, not for the path of a request.

mod cookies;
mod csp;
mod csp_rules;
mod fields;
mod outcome;

use std::fmt;

use http::HeaderMap;
use serde::Serialize;

use self::outcome::Outcome;
use crate::request::Scheme;

/// What a response begins with.
const BASE: i16 = 100;
/// Only above this is credit given.
const CREDIT_FROM: i16 = 90;

/// How the Observatory would grade a response with these headers, that came over this scheme.
pub fn score(headers: &HeaderMap, scheme: Scheme) -> Score {
    Scan::new(headers, scheme).score()
}

/// What the Observatory would see of a site.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Scan<'a> {
    headers: &'a HeaderMap,
    https: bool,
    preflight: Option<(&'a HeaderMap, &'a str)>,
}

impl<'a> Scan<'a> {
    /// A response's headers, and how it came. [`Scheme::Unknown`] is taken for plain HTTP.
    pub fn new(headers: &'a HeaderMap, scheme: Scheme) -> Self {
        Self { headers, https: scheme == Scheme::Https, preflight: None }
    }

    /// The headers of the answer to an OPTIONS that asked for `origin`. Without it, no origin is
    /// taken to be allowed.
    pub fn preflight(mut self, headers: &'a HeaderMap, origin: &'a str) -> Self {
        self.preflight = Some((headers, origin));
        self
    }

    /// The grade.
    pub fn score(self) -> Score {
        let csp = csp_rules::judge(self.headers, self.https);
        let transport = fields::transport_security(self.headers, self.https);
        let tests = [
            ("content-security-policy", csp.outcome),
            ("cookies", cookies::judge(self.headers, transport == outcome::HSTS_LONG)),
            ("cross-origin-resource-sharing", fields::sharing(self.preflight)),
            ("referrer-policy", fields::referrer_policy(self.headers)),
            ("strict-transport-security", transport),
            ("x-content-type-options", fields::content_type_options(self.headers)),
            ("x-frame-options", fields::frame_options(self.headers, csp.names_ancestors)),
            ("cross-origin-resource-policy", fields::resource_policy(self.headers)),
        ];
        Score::of(tests.map(|(name, Outcome { result, modifier })| Test { name, result, modifier }).into())
    }
}

/// A grade, and what led to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Score {
    /// From 0; 100 and more is the best grade.
    pub score: u16,
    /// From `A+` to `F`.
    pub grade: &'static str,
    /// What was found, test by test.
    pub tests: Vec<Test>,
}

/// What one of the tests found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Test {
    /// The Observatory's name of the test: `x-frame-options`.
    pub name: &'static str,
    /// The Observatory's name of the finding: `x-frame-options-implemented-via-csp`.
    pub result: &'static str,
    /// What it adds to the score.
    pub modifier: i16,
}

impl Score {
    fn of(tests: Vec<Test>) -> Self {
        let sum = |tests: &mut dyn Iterator<Item = &Test>| {
            tests.fold(BASE, |score, test| score.saturating_add(test.modifier))
        };
        let without_credit = sum(&mut tests.iter().filter(|test| test.modifier < 0));
        let score = if without_credit >= CREDIT_FROM { sum(&mut tests.iter()) } else { without_credit };
        let score = u16::try_from(score).unwrap_or(0);
        Self { score, grade: grade(score), tests }
    }

    /// What one of the tests found.
    pub fn test(&self, name: &str) -> Option<&Test> {
        self.tests.iter().find(|test| test.name == name)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})", self.grade, self.score)?;
        self.tests.iter().try_for_each(|test| writeln!(f, "{:+4} {}: {}", test.modifier, test.name, test.result))
    }
}

const fn grade(score: u16) -> &'static str {
    match score {
        100.. => "A+",
        90..100 => "A",
        85..90 => "A-",
        80..85 => "B+",
        70..80 => "B",
        65..70 => "B-",
        60..65 => "C+",
        50..60 => "C",
        45..50 => "C-",
        40..45 => "D+",
        30..40 => "D",
        25..30 => "D-",
        0..25 => "F",
    }
}

#[cfg(test)]
mod tests;
