//! A charge that outlives its request.

use std::sync::Arc;

use crate::{
    identity::AuthMethod,
    rate_limit::{Algorithm, Charge, ChargeKey, KeyPart, Op},
    request::Network,
};

/// Whose bucket, and how it is computed: the same whatever is found out of the request later.
#[derive(Debug)]
pub(super) struct OwnedCharge {
    rule: Box<str>,
    /// Of the whole key: it is not hashed again.
    hash: u128,
    parts: Vec<OwnedPart>,
    algorithm: Arc<dyn Algorithm>,
}

#[derive(Debug)]
enum OwnedPart {
    Network(Network),
    Credential { method: AuthMethod, issuer: Option<Box<str>>, id: Box<str> },
    Principal { issuer: Option<Box<str>>, subject: Box<str> },
    Tenant { issuer: Option<Box<str>>, tenant: Box<str> },
    Endpoint { method: Box<str>, route: Option<Box<str>> },
    Bytes(Box<[u8]>),
}

impl OwnedCharge {
    /// To buy units of it: `None` if the algorithm is to be asked each time.
    pub(super) fn leased(charge: &Charge<'_>) -> Option<Self> {
        Some(Self::of(charge.key(), charge.algorithm().leasable()?))
    }

    /// The bucket of that key, under that algorithm.
    pub(super) fn of(key: &ChargeKey<'_>, algorithm: Arc<dyn Algorithm>) -> Self {
        Self {
            rule: key.rule().into(),
            hash: key.identity_hash(),
            parts: key.parts().map(OwnedPart::of).collect(),
            algorithm,
        }
    }

    pub(super) fn charge(&self, op: Op) -> Charge<'_> {
        let parts = self.parts.iter().map(OwnedPart::lend);
        Charge::new(ChargeKey::again(&self.rule, self.hash, parts), &*self.algorithm, op)
    }
}

impl OwnedPart {
    fn of(part: &KeyPart<'_>) -> Self {
        let owned = |text: Option<&str>| text.map(Box::from);
        match *part {
            KeyPart::Network(network) => Self::Network(network),
            KeyPart::Credential { method, issuer, id } => {
                Self::Credential { method, issuer: owned(issuer), id: id.into() }
            }
            KeyPart::Principal { issuer, subject } => {
                Self::Principal { issuer: owned(issuer), subject: subject.into() }
            }
            KeyPart::Tenant { issuer, tenant } => Self::Tenant { issuer: owned(issuer), tenant: tenant.into() },
            KeyPart::Endpoint { method, route } => Self::Endpoint { method: method.into(), route: owned(route) },
            KeyPart::Bytes(bytes) => Self::Bytes(bytes.into()),
        }
    }

    fn lend(&self) -> KeyPart<'_> {
        match self {
            Self::Network(network) => KeyPart::Network(*network),
            Self::Credential { method, issuer, id } => {
                KeyPart::Credential { method: *method, issuer: issuer.as_deref(), id }
            }
            Self::Principal { issuer, subject } => KeyPart::Principal { issuer: issuer.as_deref(), subject },
            Self::Tenant { issuer, tenant } => KeyPart::Tenant { issuer: issuer.as_deref(), tenant },
            Self::Endpoint { method, route } => KeyPart::Endpoint { method, route: route.as_deref() },
            Self::Bytes(bytes) => KeyPart::Bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate_limit::{Rate, TokenBucket};

    #[test]
    fn it_is_the_same_bucket() {
        let bucket = TokenBucket::new(Rate::per_second(1)).unwrap();
        let parts = [
            KeyPart::Network(Network::Unknown),
            KeyPart::Credential { method: AuthMethod::ApiKey, issuer: None, id: "i" },
            KeyPart::Principal { issuer: Some("i"), subject: "s" },
            KeyPart::Tenant { issuer: None, tenant: "t" },
            KeyPart::Endpoint { method: "GET", route: Some("/") },
            KeyPart::Bytes(b"\0\xff"),
        ];
        for part in parts {
            let one = ChargeKey::new("rule").with(part).unwrap();
            let most = parts[..3].iter().fold(one, |key, part| key.with(*part).unwrap());
            for key in [ChargeKey::new("rule"), one, most] {
                let charge = Charge::new(key, &bucket, Op::Take(1));
                let owned = [OwnedCharge::leased(&charge).unwrap(), OwnedCharge::of(&key, Arc::new(bucket.clone()))];
                for owned in owned {
                    let lent = owned.charge(Op::Give(2));
                    assert_eq!((lent.identity(), lent.identity_hash()), (charge.identity(), charge.identity_hash()));
                    assert_eq!((lent.key(), lent.op()), (&key, Op::Give(2)));
                }
            }
        }
    }
}
