use std::fmt;

use super::{Key, Limit, Rate};

/// What an endpoint is to be protected from, and the rate that is usual for it.
///
/// A [`Rate`] for each class of endpoints, to be used for a rule of its own
/// ([`Rule::preset`](super::Rule::preset)) or on top of a rule by plan
/// ([`Rule::endpoint`](super::Rule::endpoint)), which takes a class where it takes a rate:
///
/// | class | rate | told apart by | for |
/// |---|---|---|---|
/// | [`Authentication`](Self::Authentication) | 5 a minute | address | log-in, forgotten passwords, one-time codes: brute force |
/// | [`Expensive`](Self::Expensive) | 20 a minute, 10 at once | client | searches, reports |
/// | [`Read`](Self::Read) | 100 a minute | client | `GET` |
/// | [`Write`](Self::Write) | 50 a minute, 20 at once | client | `POST`, `PUT`, `DELETE` |
/// | [`Sensitive`](Self::Sensitive) | 5 a minute, 1 at once | client | deletions, refunds |
///
/// Where a range is usual (10 to 20 a minute), the smaller number may come at once, and the larger is
/// the pace. Who calls is not known yet where callers log in, so that class goes by the address; give
/// it to a layer outside `AuthLayer` as well as a rule by the account that is tried
/// ([`Key::by`](super::Key::by)) if the handler's own checks do not count per account.
///
/// ```
/// use http::Method;
/// use portcullis::rate_limit::{EndpointClass, Key, Rate, Rule};
///
/// let clients = Rule::new("clients", Key::client(), Rate::per_minute(10).burst(20))
///     .plan("pro", Rate::per_minute(600).burst(1_000))
///     .endpoint(Method::POST, "/search", EndpointClass::Expensive)
///     .endpoint(Method::DELETE, "/users/{id}", EndpointClass::Sensitive);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndpointClass {
    /// Where callers prove who they are.
    Authentication,
    /// What costs much to answer.
    Expensive,
    /// What reads.
    Read,
    /// What writes.
    Write,
    /// What cannot be taken back.
    Sensitive,
}

impl EndpointClass {
    /// All classes.
    pub const ALL: &'static [Self] = &[Self::Authentication, Self::Expensive, Self::Read, Self::Write, Self::Sensitive];

    /// The rate.
    pub const fn rate(self) -> Rate {
        match self {
            Self::Authentication => Rate::per_minute(5),
            Self::Expensive => Rate::per_minute(20).burst(10),
            Self::Read => Rate::per_minute(100),
            Self::Write => Rate::per_minute(50).burst(20),
            Self::Sensitive => Rate::per_minute(5).burst(1),
        }
    }

    /// By what callers are told apart.
    pub fn key(self) -> Key {
        match self {
            Self::Authentication => Key::ip(),
            Self::Expensive | Self::Read | Self::Write | Self::Sensitive => Key::client(),
        }
    }

    /// The name of the class, and of a rule that is made of it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Expensive => "expensive",
            Self::Read => "read",
            Self::Write => "write",
            Self::Sensitive => "sensitive",
        }
    }
}

impl fmt::Display for EndpointClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<EndpointClass> for Limit {
    fn from(class: EndpointClass) -> Self {
        class.rate().into()
    }
}

/// A [`Rate`](crate::rate_limit::Rate) that is checked when the program is compiled, written as it is read.
///
/// ```
/// use portcullis::{rate, rate_limit::Rate};
///
/// const READS: Rate = rate!(100 / min, burst 20);
/// assert_eq!(READS, Rate::per_minute(100).burst(20));
/// assert_eq!(rate!(5 / s), Rate::per_second(5));
/// assert_eq!(rate!(10_000 / hour), Rate::per_hour(10_000));
/// assert_eq!(rate!(3 / 300 s), Rate::per(3, std::time::Duration::from_secs(300)));
/// ```
///
/// What `build()` would refuse does not compile:
/// ```compile_fail
/// const NOTHING: portcullis::rate_limit::Rate = portcullis::rate!(0 / min);
/// ```
/// ```compile_fail
/// const NOTHING_AT_ONCE: portcullis::rate_limit::Rate = portcullis::rate!(5 / min, burst 0);
/// ```
#[macro_export]
macro_rules! rate {
    ($units:literal / $($period:tt)+) => {
        const { $crate::rate!(@period $units; $($period)+) }
    };
    (@period $units:literal; s $(, $($rest:tt)+)?) => { $crate::rate!(@burst $units, 1 $(; $($rest)+)?) };
    (@period $units:literal; min $(, $($rest:tt)+)?) => { $crate::rate!(@burst $units, 60 $(; $($rest)+)?) };
    (@period $units:literal; hour $(, $($rest:tt)+)?) => { $crate::rate!(@burst $units, 3_600 $(; $($rest)+)?) };
    (@period $units:literal; day $(, $($rest:tt)+)?) => { $crate::rate!(@burst $units, 86_400 $(; $($rest)+)?) };
    (@period $units:literal; $secs:literal s $(, $($rest:tt)+)?) => { $crate::rate!(@burst $units, $secs $(; $($rest)+)?) };
    (@burst $units:literal, $secs:literal) => {
        $crate::rate!(@checked $crate::rate_limit::Rate::per($units, ::core::time::Duration::from_secs($secs)))
    };
    (@burst $units:literal, $secs:literal; burst $burst:literal) => {
        $crate::rate!(@checked $crate::rate_limit::Rate::per($units, ::core::time::Duration::from_secs($secs)).burst($burst))
    };
    (@checked $rate:expr) => {{
        let rate = $rate;
        ::core::assert!(rate.is_sound(), "this rate lets nothing through, or is out of bounds");
        rate
    }};
}
