use std::{num::NonZeroU32, sync::Arc, time::Duration};

use super::{IntrospectionVerifier, Introspector, budget::Budgets, response::Judge};
use crate::{
    auth::jwt::{
        ClaimNames, Profile,
        parts::{BoundTokens, Expectations},
    },
    config_error::{ConfigError, ConfigIssues},
    time::{Clock, SystemClock},
};

const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);
const MAX_LEEWAY: Duration = Duration::from_secs(60);
const DEFAULT_TTL: Duration = Duration::from_secs(60);
const MAX_TTL: Duration = Duration::from_secs(300);
const DEFAULT_PER_SECOND: NonZeroU32 = match NonZeroU32::new(100) {
    Some(number) => number,
    None => NonZeroU32::MIN,
};

/// Which opaque tokens are accepted, and whom to ask about them. See the [module](super).
///
/// | setting | default |
/// |---|---|
/// | [`hold_for`](Self::hold_for) | 60 s |
/// | [`calls_per_second`](Self::calls_per_second) | 100 |
/// | [`leeway`](Self::leeway) | 30 s |
#[derive(Clone, Debug)]
#[must_use]
pub struct Introspection {
    issuer: String,
    endpoint: Endpoint,
    audiences: Vec<String>,
    any_audience: bool,
    ttl: Option<Duration>,
    per_second: NonZeroU32,
    leeway: Duration,
    names: ClaimNames,
    bound: BoundTokens,
    clock: Option<Arc<dyn Clock>>,
}

#[derive(Clone, Debug)]
enum Endpoint {
    Own(Arc<dyn Introspector>),
    #[cfg(feature = "jwks")]
    Http(String, super::IntrospectionClient),
}

impl Introspection {
    /// Tokens of `issuer`, about which `endpoint` is asked: a URL that is `https`, or `http` on the
    /// loopback interface. `client` is who this service is to the authorization server.
    #[cfg(feature = "jwks")]
    pub fn new(issuer: impl Into<String>, endpoint: impl Into<String>, client: super::IntrospectionClient) -> Self {
        Self::of(issuer.into(), Endpoint::Http(endpoint.into(), client))
    }

    /// Tokens of `issuer`, about which a transport of your own asks.
    pub fn with(issuer: impl Into<String>, introspector: impl Introspector) -> Self {
        Self::of(issuer.into(), Endpoint::Own(Arc::new(introspector)))
    }

    fn of(issuer: String, endpoint: Endpoint) -> Self {
        Self {
            issuer,
            endpoint,
            audiences: Vec::new(),
            any_audience: false,
            ttl: Some(DEFAULT_TTL),
            per_second: DEFAULT_PER_SECOND,
            leeway: DEFAULT_LEEWAY,
            names: ClaimNames::default(),
            bound: BoundTokens::DEFAULT,
            clock: None,
        }
    }

    /// An audience that is this service; `aud` must name one of them. Required.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Accepts a token whose response has no `aud`, as many servers' do not. A token that was issued
    /// for another service of the same authorization server then works here, too. If there is an
    /// `aud`, it must still name this service.
    pub fn dangerously_accept_missing_audience(mut self) -> Self {
        self.any_audience = true;
        self
    }

    /// How long an answer holds: at most 5 min. A token that is revoked works for so long at most; it
    /// never works past its `exp`. Being used does not prolong it. Default: 60 s.
    pub fn hold_for(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Asks about every token each time. A revoked token is then refused at once, and the
    /// authorization server carries the load of every request.
    pub fn without_cache(mut self) -> Self {
        self.ttl = None;
        self
    }

    /// How many tokens may be asked about in a second; those beyond are answered 503. Tokens that held
    /// when they were last asked about have as many questions of their own. Default: 100.
    pub fn calls_per_second(mut self, calls: NonZeroU32) -> Self {
        self.per_second = calls;
        self
    }

    /// By how much the clocks may differ, for `exp`, `nbf` and `iat`. Default 30 s; more than 60 s
    /// is a mistake.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Under which names the server puts scopes, roles, tenant, plan, client and e-mail address.
    pub fn claim_names(mut self, names: ClaimNames) -> Self {
        self.names = names;
        self
    }

    /// Accepts tokens that are bound to a key or certificate (`cnf`) from whoever bears them. Only
    /// where something in front of this service checks the binding.
    pub fn dangerously_accept_bound_tokens(mut self) -> Self {
        self.bound = BoundTokens::Accepted;
        self
    }

    /// The clock by which answers grow old. Give it the one that the layers use. Default: the machine's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// The verifier, for [`AuthLayerBuilder::opaque_tokens`](crate::auth::AuthLayerBuilder::opaque_tokens).
    ///
    /// # Errors
    /// An empty issuer or audience, no audience, an unusable endpoint or client, a leeway of more than
    /// 60 s, answers that hold for nothing or for more than 5 min.
    pub fn build(self) -> Result<IntrospectionVerifier, ConfigError> {
        let mut issues = ConfigIssues::new();
        if self.issuer.is_empty() {
            issues.add("issuer", "it is empty", "give the issuer's identifier, such as https://id.example.com");
        }
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            issues.add("audience", "there is none, or one is empty", "name this service as its tokens do");
        }
        if self.leeway > MAX_LEEWAY {
            issues.add("leeway", "it is longer than 60 s", "use 60 s at most, and a time server");
        }
        if self.ttl.is_some_and(|ttl| ttl.is_zero() || ttl > MAX_TTL) {
            issues.add("hold_for", "it is zero, or longer than 5 min", "use 60 s, or without_cache");
        }
        let introspector: Option<Arc<dyn Introspector>> = match self.endpoint {
            Endpoint::Own(own) => Some(own),
            #[cfg(feature = "jwks")]
            Endpoint::Http(url, client) => issues
                .take("", super::http::HttpIntrospector::new(&url, client))
                .map(|http| Arc::new(http) as Arc<dyn Introspector>),
        };
        issues.finish(())?;
        // Without it there was an issue.
        let Some(introspector) = introspector else {
            return Err(ConfigError::new("endpoint", "it cannot be used", "correct it"));
        };
        let boxed = |texts: &[String]| texts.iter().map(|text| text.as_str().into()).collect();
        let audience = self.audiences.first().filter(|_| self.any_audience).map(|first| first.as_str().into());
        let expected = Expectations {
            issuer: self.issuer.into(),
            audiences: boxed(&self.audiences),
            profile: Profile::Lenient,
            leeway: self.leeway,
            // The server can end an opaque token any time.
            max_lifetime: Duration::MAX,
            names: self.names,
            bound: self.bound,
        };
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let budgets = Budgets::new(self.per_second, &clock);
        let ttl = self.ttl.unwrap_or(Duration::ZERO);
        Ok(IntrospectionVerifier::new(introspector, Judge { expected, audience }, ttl, budgets, clock))
    }
}
