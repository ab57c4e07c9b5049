use std::time::Duration;

use http::{HeaderValue, header};

use super::{
    FrameOptions, Hsts, OpenerPolicy, ReferrerPolicy, ResourcePolicy, SecurityHeaders,
    csp::{Csp, Directive, Source},
    profile::AGENT_CLUSTER,
};

const YEAR: Hsts = Hsts::max_age(Duration::from_secs(31_536_000)).include_subdomains();
const FEATURES: &str = "geolocation=(), camera=(), microphone=(), payment=()";

impl SecurityHeaders {
    /// For an API: nothing that a browser is sent there is a page. See the [module](super) for the
    /// values.
    pub fn api() -> Self {
        Self::shared()
            .frame_options(FrameOptions::Deny)
            .content_security_policy(
                Csp::new()
                    .allow(Directive::DefaultSrc, [Source::NONE])
                    .allow(Directive::FrameAncestors, [Source::NONE]),
            )
            .referrer_policy(ReferrerPolicy::NoReferrer)
            .cache_control("no-store")
    }

    /// For the pages of a documentation: scripts of the own origin, and those that carry the
    /// [nonce](super::CspNonce); styles also in the page.
    pub fn docs() -> Self {
        Self::page().frame_options(FrameOptions::Deny).content_security_policy(
            Csp::new()
                .allow(Directive::DefaultSrc, [Source::SELF])
                .allow(Directive::ScriptSrc, [Source::SELF, Source::NONCE])
                .allow(Directive::StyleSrc, [Source::SELF, Source::UNSAFE_INLINE])
                .allow(Directive::ObjectSrc, [Source::NONE])
                .allow(Directive::BaseUri, [Source::NONE])
                .allow(Directive::FormAction, [Source::SELF])
                .allow(Directive::FrameAncestors, [Source::NONE]),
        )
    }

    /// For pages: helmet's policy (version 8), which knows no nonce.
    pub fn html() -> Self {
        let https: Source = "https:".into();
        Self::page()
            .frame_options(FrameOptions::SameOrigin)
            .content_security_policy(
                Csp::new()
                    .allow(Directive::DefaultSrc, [Source::SELF])
                    .allow(Directive::BaseUri, [Source::SELF])
                    .allow(Directive::FontSrc, [Source::SELF, https.clone(), Source::DATA])
                    .allow(Directive::FormAction, [Source::SELF])
                    .allow(Directive::FrameAncestors, [Source::SELF])
                    .allow(Directive::ImgSrc, [Source::SELF, Source::DATA])
                    .allow(Directive::ObjectSrc, [Source::NONE])
                    .allow(Directive::ScriptSrc, [Source::SELF])
                    .allow(Directive::ScriptSrcAttr, [Source::NONE])
                    .allow(Directive::StyleSrc, [Source::SELF, https, Source::UNSAFE_INLINE])
                    .upgrade_insecure_requests(),
            )
            .set(header::X_XSS_PROTECTION, HeaderValue::from_static("0"))
    }

    /// The literal list of the API security workflow that this crate implements, with `preload`, for
    /// those who must reproduce it. It raises lints; [`api`](Self::api) is better. `X-Request-ID` is
    /// on every response anyway.
    pub fn seed() -> Self {
        Self::none()
            .strict_transport_security(YEAR.preload())
            .set(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
            .frame_options(FrameOptions::Deny)
            .referrer_policy(ReferrerPolicy::StrictOriginWhenCrossOrigin)
            .permissions_policy(FEATURES)
            .api_version("2025-01-01")
    }

    /// The same for its documentation routes: with a policy that lets scripts stand in the page.
    /// [`docs`](Self::docs) does with a nonce what it is for.
    pub fn seed_docs() -> Self {
        Self::seed().content_security_policy(
            Csp::new()
                .allow(Directive::DefaultSrc, [Source::SELF])
                .allow(Directive::ScriptSrc, [Source::SELF, Source::UNSAFE_INLINE])
                .allow(Directive::StyleSrc, [Source::SELF, Source::UNSAFE_INLINE]),
        )
    }

    /// The literal list of the best practices that this crate implements, `X-XSS-Protection` among them.
    pub fn seed_best_practices() -> Self {
        Self::none()
            .frame_options(FrameOptions::Deny)
            .set(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
            .legacy_xss_protection()
            .content_security_policy(Csp::new().allow(Directive::DefaultSrc, [Source::SELF]))
            .strict_transport_security(YEAR)
            .referrer_policy(ReferrerPolicy::NoReferrer)
    }

    fn page() -> Self {
        Self::shared()
            .referrer_policy(ReferrerPolicy::StrictOriginWhenCrossOrigin)
            .opener_policy(OpenerPolicy::SameOrigin)
            .set(AGENT_CLUSTER, HeaderValue::from_static("?1"))
    }

    fn shared() -> Self {
        Self::none()
            .strict_transport_security(YEAR)
            .set(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
            .permissions_policy(FEATURES)
            .resource_policy(ResourcePolicy::SameOrigin)
    }
}
