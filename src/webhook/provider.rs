use std::{fmt, sync::Arc};

use super::{custom::CustomProvider, spec::Spec, table};
use crate::config_error::ConfigError;

/// A provider's signature scheme: one row of the table, or [one of your own](Self::custom).
///
/// | name | signature header | signed bytes | window past / future | event id |
/// |---|---|---|---|---|
/// | `stripe` | `Stripe-Signature: t=…,v1=<hex>` | `t.body` | 300 s / 30 s | body `id` |
/// | `github` | `X-Hub-Signature-256: sha256=<hex>` | body | none | `X-GitHub-Delivery` (unsigned) |
/// | `shopify` | `X-Shopify-Hmac-Sha256: <base64>` | body | none | `X-Shopify-Webhook-Id` (unsigned) |
/// | `slack` | `X-Slack-Signature: v0=<hex>` | `v0:ts:body` | 300 s / 30 s | body `event_id` |
/// | `standard` | `webhook-signature: v1,<base64> …` | `id.ts.body` | 300 s / 300 s | `webhook-id` |
/// | `x-webhook` | `X-Webhook-Signature: <hex>` | `ts.body` | 300 s / 30 s | body `id`, else `X-Webhook-ID` (unsigned) |
///
/// All of them are HMAC-SHA256. Clones share the row.
#[derive(Clone)]
pub struct Provider {
    pub(super) spec: Arc<Spec>,
}

impl Provider {
    /// Stripe. The secret is the endpoint's signing secret, `whsec_` included.
    pub fn stripe() -> Self {
        Self::row(&table::STRIPE)
    }

    /// GitHub. The secret is the webhook's.
    pub fn github() -> Self {
        Self::row(&table::GITHUB)
    }

    /// Shopify. The secret is the app's client secret.
    pub fn shopify() -> Self {
        Self::row(&table::SHOPIFY)
    }

    /// Slack. The secret is the app's signing secret.
    pub fn slack() -> Self {
        Self::row(&table::SLACK)
    }

    /// [Standard Webhooks](https://www.standardwebhooks.com) 1.0.0, symmetric (`v1`). The secret is
    /// Base64 with or without `whsec_`, at least 24 bytes decoded.
    pub fn standard_webhooks() -> Self {
        Self::row(&table::STANDARD)
    }

    /// `X-Webhook-Signature`, `X-Webhook-Timestamp` and `X-Webhook-ID`: what a small sender of one's
    /// own uses. For a new sender [`standard_webhooks`](Self::standard_webhooks) is better: it signs the id, too.
    pub fn x_webhook() -> Self {
        Self::row(&table::X_WEBHOOK)
    }

    /// A provider of your own, whose signature stands in `signature_header`. See [`CustomProvider`].
    pub fn custom(name: impl Into<String>, signature_header: impl Into<String>) -> CustomProvider {
        CustomProvider::new(name.into(), signature_header.into())
    }

    /// The built-in provider of that name, for configurations that are data.
    ///
    /// # Errors
    /// An unknown name; the error lists the known ones.
    ///
    /// ```
    /// use portcullis::webhook::Provider;
    ///
    /// assert_eq!(Provider::named("stripe").unwrap().name(), "stripe");
    /// assert!(Provider::named("strype").unwrap_err().to_string().contains("github, shopify"));
    /// ```
    pub fn named(name: &str) -> Result<Self, ConfigError> {
        let row = table::TABLE.iter().find(|spec| spec.name == name);
        row.map(|spec| Self::row(spec)).ok_or_else(|| {
            let known: Vec<&str> = Self::names().collect();
            ConfigError::new(
                "provider",
                format!("there is no built-in webhook provider {name:?}"),
                format!("use one of {}, or Provider::custom", known.join(", ")),
            )
        })
    }

    /// The names of the built-in providers.
    pub fn names() -> impl Iterator<Item = &'static str> {
        table::TABLE.iter().map(|spec| &*spec.name)
    }

    /// The name, as `VerifiedWebhook::provider` will say it.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    fn row(spec: &Spec) -> Self {
        Self { spec: Arc::new(spec.clone()) }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Provider").field(&self.name()).finish()
    }
}
