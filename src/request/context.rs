use std::{
    borrow::Cow,
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use axum::extract::MatchedPath;
use http::{Extensions, HeaderValue, Method, Request};

use super::{
    api_version::ApiVersion,
    append_only::AppendOnly,
    arrival::{Arrival, arrival},
    caller::CallerSlot,
    client_ip::ClientIp,
    limits::{QuotaStatus, RateLimitStatus, RequestHashes},
    notes::Notes,
    obligation::ObligationSlot,
    proxies::TrustedProxies,
    request_id::RequestId,
    scheme::Scheme,
    trail::Trail,
    webhook::VerifiedWebhook,
};
use crate::{
    identity::{Grant, Principal, RoleTable},
    rejection::Stamp,
    time::{Clock, Now, SystemClock},
};

/// What is needed to make a [`RequestContext`]: the clock, and whose word on the client's address
/// is taken.
#[derive(Clone, Debug)]
pub struct ContextSettings {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) proxies: TrustedProxies,
}

impl ContextSettings {
    /// The machine's clock, and no trusted proxies.
    pub fn new() -> Self {
        Self { clock: Arc::new(SystemClock::new()), proxies: TrustedProxies::none() }
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The proxies whose word on the client's address and scheme is taken.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// What holds where nobody configured anything. One clock for the process.
    pub(crate) fn shared_default() -> &'static Self {
        static DEFAULT: OnceLock<ContextSettings> = OnceLock::new();
        DEFAULT.get_or_init(Self::new)
    }
}

impl Default for ContextSettings {
    fn default() -> Self {
        Self::new()
    }
}

/// What is known of a request, shared by all layers that it passes through.
pub struct RequestContext {
    now: Now,
    clock: Arc<dyn Clock>,
    id: RequestId,
    client: ClientIp,
    scheme: Scheme,
    method: Method,
    /// Known already where the router has been reached: a value that is there costs less than one that is set.
    routed: Option<MatchedPath>,
    route: OnceLock<MatchedPath>,
    trail: Trail,
    /// The places (`gate::Place`) that the request has entered, for the wiring check.
    marks: AtomicU32,
    /// A gate has waited, so that time has passed since the request arrived.
    waited: AtomicBool,
    /// How many header fields the gates so far may add to the response.
    fields: AtomicUsize,
    /// Who owes the request's audit record; 0 is nobody.
    recorder: AtomicUsize,
    caller: CallerSlot,
    grants: AppendOnly<Grant, 4>,
    obligation: ObligationSlot,
    /// What roles stand for, and the address of the map that said so.
    roles: OnceLock<(usize, Arc<RoleTable>)>,
    rate_limits: AppendOnly<RateLimitStatus, 4>,
    quota: Mutex<Option<QuotaStatus>>,
    webhook: OnceLock<VerifiedWebhook>,
    api_version: OnceLock<ApiVersion>,
    /// What the work that was asked for costs, plus one; 0 is that nobody computed it.
    cost: AtomicU64,
    hashes: RequestHashes,
    /// Few handlers have any.
    notes: Mutex<Option<Box<Notes>>>,
}

// glibc hands out blocks of up to 1032 bytes from a cache of the thread, and takes several times as long
// for larger ones. Every request has a context, in an `Arc`.
const _: () = assert!(size_of::<RequestContext>() <= 1_016);

impl RequestContext {
    /// The context of a request, if a portcullis layer stands outside.
    pub fn of<B>(request: &Request<B>) -> Option<&Arc<Self>> {
        Self::in_extensions(request.extensions())
    }

    /// The same, for those who hold only the extensions.
    pub fn in_extensions(extensions: &Extensions) -> Option<&Arc<Self>> {
        extensions.get::<Arc<Self>>()
    }

    pub(crate) fn open<B>(request: &Request<B>, settings: &ContextSettings) -> Arc<Self> {
        let now = settings.clock.now();
        let Arrival { client, scheme } =
            arrival(request.extensions(), request.headers(), request.uri(), &settings.proxies);
        Arc::new(Self {
            now,
            clock: Arc::clone(&settings.clock),
            id: RequestId::generate(now.wall),
            client,
            scheme,
            method: request.method().clone(),
            routed: request.extensions().get::<MatchedPath>().cloned(),
            route: OnceLock::new(),
            trail: Trail::new(),
            marks: AtomicU32::new(0),
            waited: AtomicBool::new(false),
            fields: AtomicUsize::new(0),
            recorder: AtomicUsize::new(0),
            caller: CallerSlot::default(),
            grants: AppendOnly::new(),
            obligation: ObligationSlot::new(),
            roles: OnceLock::new(),
            rate_limits: AppendOnly::new(),
            quota: Mutex::new(None),
            webhook: OnceLock::new(),
            api_version: OnceLock::new(),
            cost: AtomicU64::new(0),
            hashes: RequestHashes::default(),
            notes: Mutex::new(None),
        })
    }

    /// When the request arrived. The only reading of the clock on the way in, where no gate waits.
    pub fn now(&self) -> Now {
        self.now
    }

    /// What time it is for a limit that is asked now: when the request arrived, unless a gate has waited since. A
    /// body that comes slowly must not make a request one of the past.
    pub(crate) fn present(&self) -> Now {
        if self.waited.load(Relaxed) { self.clock.now() } else { self.now }
    }

    /// A gate has waited.
    pub(crate) fn has_waited(&self) {
        self.waited.store(true, Relaxed);
    }

    /// The clock, for what happens later: the end of the body, a time-out.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The request's id.
    pub fn request_id(&self) -> RequestId {
        self.id
    }

    /// Whom the request came from.
    pub fn client_ip(&self) -> ClientIp {
        self.client
    }

    /// Whether the peer is one of the trusted proxies: only then is its word taken on what lies
    /// behind it.
    pub fn peer_is_trusted(&self) -> bool {
        use super::client_ip::Provenance::{AllTrusted, Header, Malformed};
        matches!(self.client.provenance(), Header { .. } | AllTrusted | Malformed)
    }

    /// How the connection to the client was made.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The request's method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The matched route's template, `/orders/{id}`; `None` where no route matched, or before the
    /// router has been reached.
    pub fn route(&self) -> Option<&str> {
        self.routed.as_ref().or_else(|| self.route.get()).map(MatchedPath::as_str)
    }

    pub(crate) fn hashes(&self) -> &RequestHashes {
        &self.hashes
    }

    /// What the layers said so far.
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// The verified caller, if an `AuthLayer` found one.
    pub fn principal(&self) -> Option<&Principal> {
        self.caller.principal()
    }

    /// What the caller was found to be allowed, the innermost requirement last.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter()
    }

    /// The rate limit closest to exhaustion, of all that were asked.
    pub fn rate_limit(&self) -> Option<&RateLimitStatus> {
        // The share that is left, compared without division.
        self.rate_limits.iter().min_by(|a, b| {
            let left = u128::from(a.remaining).saturating_mul(u128::from(b.limit));
            left.cmp(&u128::from(b.remaining).saturating_mul(u128::from(a.limit)))
        })
    }

    /// Where the caller stands against its plan's allowance.
    pub fn quota(&self) -> Option<QuotaStatus> {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The verified webhook, on hook routes.
    pub fn webhook(&self) -> Option<&VerifiedWebhook> {
        self.webhook.get()
    }

    /// The version of the API that the request is served with, if an `ApiVersionLayer` found one.
    pub fn api_version(&self) -> Option<ApiVersion> {
        self.api_version.get().copied()
    }

    /// What the work that was asked for costs, if a layer outside computed it: `GraphQlLimitLayer` does.
    pub fn computed_cost(&self) -> Option<u64> {
        self.cost.load(Relaxed).checked_sub(1)
    }

    /// What the handler adds to the audit record.
    pub fn notes(&self) -> Notes {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).as_deref().cloned().unwrap_or_default()
    }

    pub(crate) fn see_route(&self, extensions: &Extensions) {
        if self.routed.is_none()
            && self.route.get().is_none()
            && let Some(route) = extensions.get::<MatchedPath>()
        {
            let _ = self.route.set(route.clone());
        }
    }

    pub(crate) fn stamp(&self) -> Stamp<'_> {
        Stamp { request_id: self.id.as_str(), is_head: self.method == Method::HEAD }
    }

    pub(crate) fn expect_fields(&self, fields: usize) {
        if fields > 0 {
            // Gates come one after the other; a number that is lost costs time, nothing else.
            self.fields.store(self.fields.load(Relaxed).saturating_add(fields), Relaxed);
        }
    }

    /// How many header fields the gates may add; zero from the second call on.
    pub(crate) fn take_expected_fields(&self) -> usize {
        // The load is what all but the first of the gates pay.
        if self.fields.load(Relaxed) == 0 { 0 } else { self.fields.swap(0, Relaxed) }
    }

    /// Marks a place as entered; returns the places entered before.
    pub(crate) fn mark(&self, place: u32) -> u32 {
        // Gates come one after the other; of a request that is at two of them at once a warning may be lost.
        let before = self.marks.load(Relaxed);
        self.marks.store(before | place, Relaxed);
        before
    }

    pub(crate) fn marks(&self) -> u32 {
        self.marks.load(Relaxed)
    }

    /// Whether `recorder` still has to write a record of this request: not if it stands twice in the
    /// stack, and this is the second time.
    pub(crate) fn must_record(&self, recorder: usize) -> bool {
        self.recorder.compare_exchange(0, recorder, Relaxed, Relaxed) != Err(recorder)
    }

    /// The first layer that verifies a caller decides, and of its challenges the first layer that saw the
    /// request. The caller, if the request's is now this one: not if another layer has let in somebody else,
    /// or by another credential.
    pub(crate) fn set_caller(
        &self,
        principal: Principal,
        challenges: Option<&Arc<[HeaderValue]>>,
    ) -> Option<Cow<'_, Principal>> {
        self.caller.verify(principal, challenges)
    }

    /// A caller that no `AuthLayer` has verified.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn set_principal(&self, principal: Principal) -> bool {
        self.set_caller(principal, None).is_some()
    }

    /// The challenges (RFC 9110 §11.6.1) with which an extractor or `ScopeLayer` refuses an
    /// anonymous caller. The first layer decides.
    pub(crate) fn set_challenges(&self, challenges: &Arc<[HeaderValue]>) {
        self.caller.challenge(challenges);
    }

    pub(crate) fn challenges(&self) -> &[HeaderValue] {
        self.caller.challenges().map_or(&[], |challenges| challenges)
    }

    pub(crate) fn add_grant(&self, grant: Grant) {
        self.grants.push(grant);
    }

    /// Whether the object still has to be checked.
    pub(crate) fn obligation(&self) -> &ObligationSlot {
        &self.obligation
    }

    /// What the roles of the map `map` stand for, for this request: however often the map is replaced
    /// meanwhile, all layers see the same. (Of a second map each layer takes what is current.)
    pub(crate) fn roles_of(&self, map: usize, load: impl Fn() -> Arc<RoleTable>) -> Arc<RoleTable> {
        let (held, table) = self.roles.get_or_init(|| (map, load()));
        if *held == map { Arc::clone(table) } else { load() }
    }

    /// Whether the caller has the scope, by its credential or by one of its roles, as far as a layer
    /// with roles stands outside. For checks inside handlers.
    pub(crate) fn caller_may(&self, scope: &str) -> bool {
        self.principal().is_some_and(|principal| {
            principal.scopes().satisfies(scope)
                || self.roles.get().is_some_and(|(_, roles)| roles.may(principal, scope))
        })
    }

    pub(crate) fn add_rate_limit(&self, status: RateLimitStatus) {
        self.rate_limits.push(status);
    }

    pub(crate) fn set_quota(&self, status: QuotaStatus) {
        *self.quota.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    }

    pub(crate) fn set_webhook(&self, webhook: VerifiedWebhook) {
        let _ = self.webhook.set(webhook);
    }

    /// The first layer decides.
    pub(crate) fn set_api_version(&self, version: ApiVersion) {
        let _ = self.api_version.set(version);
    }

    #[cfg(feature = "graphql")]
    pub(crate) fn set_computed_cost(&self, cost: u64) {
        self.cost.store(cost.saturating_add(1), Relaxed);
    }

    pub(crate) fn note(&self, change: impl FnOnce(&mut Notes)) {
        change(self.notes.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default());
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext")
            .field("id", &self.id)
            .field("client", &self.client)
            .field("route", &self.route())
            .field("trail", &self.trail)
            .finish_non_exhaustive()
    }
}
