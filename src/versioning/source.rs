use std::borrow::Cow;

use axum::extract::OriginalUri;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Uri, header};

use super::{
    accept::{self, Asked},
    path,
};
use crate::{
    rejection::{Rejection, RejectionKind},
    request::ApiVersion,
};

const X_API_VERSION: HeaderName = HeaderName::from_static("x-api-version");

/// Where a request says which version it wants.
///
/// ```
/// use portcullis::versioning::VersionSource;
///
/// let sources = [
///     VersionSource::path_after("/api"),   // /api/v2/orders
///     VersionSource::header(),             // X-API-Version: v2
///     VersionSource::accept("example"),    // Accept: application/vnd.example.v2+json
/// ];
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionSource(pub(super) Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Path { prefix: Cow<'static, str>, stripped: bool },
    Header(HeaderName),
    Accept { vendor: Cow<'static, str> },
}

/// What one source says.
pub(super) enum Said {
    Nothing,
    /// A version that there is.
    Version(ApiVersion),
}

impl VersionSource {
    /// The first segment of the path: `/v2/orders`. The routes have the version in them, as with
    /// `Router::nest("/v2", …)`; inside such a router the path is looked at as the client sent it.
    pub const fn path() -> Self {
        Self(Kind::Path { prefix: Cow::Borrowed(""), stripped: false })
    }

    /// The segment after a prefix: `/api/v2/orders` after `/api`.
    pub fn path_after(prefix: impl Into<Cow<'static, str>>) -> Self {
        Self(Kind::Path { prefix: prefix.into(), stripped: false })
    }

    /// The same, and the version is taken out of the path before the router sees it: one set of routes
    /// serves all versions, and its handlers take an [`ApiVersion`]. For
    /// [`ApiVersionLayer::wrap`](super::ApiVersionLayer::wrap): a layer of a router comes after the routing.
    #[must_use]
    pub fn stripped(mut self) -> Self {
        if let Kind::Path { stripped, .. } = &mut self.0 {
            *stripped = true;
        }
        self
    }

    /// The header field `X-API-Version`, which must not be repeated: `v2`, `2`, or `2025-01-01`.
    pub const fn header() -> Self {
        Self(Kind::Header(X_API_VERSION))
    }

    /// The same in another field.
    pub const fn header_named(name: HeaderName) -> Self {
        Self(Kind::Header(name))
    }

    /// The media type that is accepted: `application/vnd.{vendor}.v2+json`. Of several the one with the
    /// greatest weight counts, of those that there are.
    pub fn accept(vendor: impl Into<Cow<'static, str>>) -> Self {
        Self(Kind::Accept { vendor: vendor.into() })
    }
}

impl Kind {
    /// The field that responses then vary by.
    pub(super) fn vary(&self) -> Option<HeaderName> {
        match self {
            Self::Path { .. } => None,
            Self::Header(name) => Some(name.clone()),
            Self::Accept { .. } => Some(header::ACCEPT),
        }
    }

    /// What the request says here: a version that there is, nothing, or what is refused.
    pub(super) fn read(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        extensions: &Extensions,
        is_served: impl Fn(ApiVersion) -> bool,
    ) -> Result<Said, RejectionKind> {
        match self {
            Self::Path { prefix, stripped } => {
                // A router that was nested has taken its prefix off; what is to be rewritten is what it left.
                let original = extensions.get::<OriginalUri>().filter(|_| !stripped);
                let uri = original.map_or(uri, |original| &original.0);
                match path::version_after(uri.path(), prefix) {
                    None => Ok(Said::Nothing),
                    Some((version, _)) => known(version, is_served).ok_or(RejectionKind::NotFound),
                }
            }
            Self::Header(name) => {
                let mut values = headers.get_all(name).iter();
                let Some(value) = values.next() else { return Ok(Said::Nothing) };
                // Whoever reads the first and whoever reads the last would not serve the same version.
                if values.next().is_some() {
                    return Err(RejectionKind::InvalidRequest);
                }
                version_of(value).and_then(|version| known(version, is_served)).ok_or(RejectionKind::InvalidRequest)
            }
            Self::Accept { vendor } => {
                let lines = headers.get_all(header::ACCEPT).iter().map(HeaderValue::as_bytes);
                match accept::asked(lines, vendor, is_served) {
                    Ok(Asked::Nothing) => Ok(Said::Nothing),
                    Ok(Asked::For(version)) => Ok(Said::Version(version)),
                    Ok(Asked::None) => Err(RejectionKind::NotAcceptable),
                    Err(accept::Unreadable) => Err(RejectionKind::InvalidRequest),
                }
            }
        }
    }

    /// How a request is refused that had to name a version and names none.
    pub(super) fn missing(&self) -> Rejection {
        let (kind, detail) = match self {
            Self::Path { .. } => (RejectionKind::NotFound, "The path names no version of the API."),
            Self::Header(_) | Self::Accept { .. } => {
                (RejectionKind::InvalidRequest, "The request names no version of the API.")
            }
        };
        Rejection::new(kind).with_detail(detail)
    }
}

fn known(version: ApiVersion, is_served: impl Fn(ApiVersion) -> bool) -> Option<Said> {
    is_served(version).then_some(Said::Version(version))
}

/// In a field of its own a number needs no `v`.
fn version_of(value: &HeaderValue) -> Option<ApiVersion> {
    let text = value.to_str().ok()?.trim();
    text.parse().ok().or_else(|| {
        let number = text.parse().ok().map(ApiVersion::number)?;
        // Written as it would be with the `v`: no sign, no zeros before it.
        (number.as_number()?.to_string() == text).then_some(number)
    })
}
