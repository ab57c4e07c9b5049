use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{
    request::{ApiVersion, Network, RequestContext},
    time::Timestamp,
};

/// Who still calls which version: a handle, for a page of the operator's or a job that writes to the
/// callers. Clones read the same counters.
///
/// All versions are counted; callers are told apart where the version's end has been announced. What is
/// known of them lies in memory, as long as the process lives: client ids, subjects, and addresses of those
/// who showed no credential.
///
/// ```
/// use portcullis::versioning::{ApiVersion, ApiVersionLayer, SupportedVersion, UtcDate};
///
/// let layer = ApiVersionLayer::builder([
///     SupportedVersion::new(ApiVersion::number(1)).deprecated(UtcDate::new(2025, 1, 1)),
///     SupportedVersion::new(ApiVersion::number(2)),
/// ])
/// .build()?;
/// let usage = layer.usage();
/// for (version, calls) in usage.calls() {
///     println!("{version}: {calls}");
/// }
/// for caller in usage.callers(ApiVersion::number(1)) {
///     println!("{} called {} times, last {}", caller.who, caller.calls, caller.last);
/// }
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct VersionUsage(Arc<[Count]>);

/// One version's counters.
struct Count {
    version: ApiVersion,
    calls: AtomicU64,
    /// Of a version whose end has been announced.
    callers: Option<Mutex<Callers>>,
}

/// Who called, bounded: the known and the unknown each in a table of its own, so that nobody pushes a
/// client out by calling from many addresses.
struct Callers {
    clients: Table<Box<str>>,
    subjects: Table<Box<str>>,
    networks: Table<Network>,
}

struct Table<K> {
    seen: HashMap<K, (u64, Timestamp)>,
    capacity: usize,
    /// Calls of those who found no room.
    others: u64,
}

/// Somebody who calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CallerName {
    /// The client that the credential was issued to.
    Client(Box<str>),
    /// The subject of a credential that names no client.
    Subject(Box<str>),
    /// Nobody that is known: where the call came from.
    Network(Network),
    /// All those together for whom there was no room.
    Others,
}

impl fmt::Display for CallerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(name) => write!(f, "client {name}"),
            Self::Subject(name) => write!(f, "subject {name}"),
            Self::Network(Network::V4(address)) => write!(f, "{address}"),
            Self::Network(Network::V6(network)) => write!(f, "{network}/64"),
            Self::Network(Network::Unknown) => f.write_str("an unknown address"),
            Self::Others => f.write_str("others"),
        }
    }
}

/// Somebody who called a version, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionCaller {
    /// Who.
    pub who: CallerName,
    /// How often, refused calls included.
    pub calls: u64,
    /// When last (wall clock); the epoch for [`CallerName::Others`].
    pub last: Timestamp,
}

impl VersionUsage {
    /// With room for so many callers of each kind.
    pub(super) fn new(versions: impl Iterator<Item = (ApiVersion, bool)>, capacity: usize) -> Self {
        let count = |(version, is_ending): (ApiVersion, bool)| Count {
            version,
            calls: AtomicU64::new(0),
            callers: is_ending.then(|| {
                Mutex::new(Callers {
                    clients: Table::new(capacity),
                    subjects: Table::new(capacity),
                    networks: Table::new(capacity),
                })
            }),
        };
        Self(versions.map(count).collect())
    }

    /// How often each version was called since the layer was built, in the layer's order.
    pub fn calls(&self) -> impl Iterator<Item = (ApiVersion, u64)> {
        self.0.iter().map(|count| (count.version, count.calls.load(Relaxed)))
    }

    /// Who called a version whose end has been announced, the busiest first. Empty for all others.
    pub fn callers(&self, version: ApiVersion) -> Vec<VersionCaller> {
        let callers = self.0.iter().find(|count| count.version == version).and_then(|count| count.callers.as_ref());
        let Some(callers) = callers else { return Vec::new() };
        let mut all = callers.lock().unwrap_or_else(PoisonError::into_inner).read();
        all.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.who.cmp(&b.who)));
        all
    }

    /// Counts a call of the version at this place, and who made it.
    pub(super) fn count(&self, index: usize, context: &RequestContext) {
        let Some(count) = self.0.get(index) else { return };
        count.calls.fetch_add(1, Relaxed);
        if let Some(callers) = &count.callers {
            callers.lock().unwrap_or_else(PoisonError::into_inner).count(context);
        }
    }
}

impl Callers {
    fn count(&mut self, context: &RequestContext) {
        let now = context.now().wall;
        match context.principal().map(|principal| (principal.client(), principal.subject())) {
            Some((Some(client), _)) => self.clients.count(client, now, || client.into()),
            Some((None, subject)) => self.subjects.count(subject, now, || subject.into()),
            None => {
                let network = context.client_ip().network();
                self.networks.count(&network, now, || network);
            }
        }
    }

    fn read(&self) -> Vec<VersionCaller> {
        let mut all = Vec::new();
        self.clients.read(CallerName::Client, &mut all);
        self.subjects.read(CallerName::Subject, &mut all);
        self.networks.read(CallerName::Network, &mut all);
        let others = [self.clients.others, self.subjects.others, self.networks.others];
        let calls = others.into_iter().fold(0_u64, u64::saturating_add);
        if calls > 0 {
            all.push(VersionCaller { who: CallerName::Others, calls, last: Timestamp::EPOCH });
        }
        all
    }
}

impl<K: Hash + Eq + Clone> Table<K> {
    fn new(capacity: usize) -> Self {
        Self { seen: HashMap::new(), capacity, others: 0 }
    }

    /// Only who is new costs an allocation.
    fn count<Q: Hash + Eq + ?Sized>(&mut self, who: &Q, now: Timestamp, own: impl FnOnce() -> K)
    where
        K: std::borrow::Borrow<Q>,
    {
        if let Some((calls, last)) = self.seen.get_mut(who) {
            *calls = calls.saturating_add(1);
            *last = now.max(*last);
        } else if self.seen.len() < self.capacity {
            self.seen.insert(own(), (1, now));
        } else {
            self.others = self.others.saturating_add(1);
        }
    }

    fn read(&self, name: impl Fn(K) -> CallerName, all: &mut Vec<VersionCaller>) {
        let caller = |(who, (calls, last)): (&K, &(u64, Timestamp))| VersionCaller {
            who: name(who.clone()),
            calls: *calls,
            last: *last,
        };
        all.extend(self.seen.iter().map(caller));
    }
}

impl fmt::Debug for VersionUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.calls()).finish()
    }
}
