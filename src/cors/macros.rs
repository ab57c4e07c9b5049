/// An [`OriginPattern`](crate::cors::OriginPattern) that is checked when the program is compiled.
///
/// ```
/// use portcullis::cors::{CorsSecurityLayer, OriginPattern, origin};
///
/// const TEAM: OriginPattern = origin!("https://*.example.com");
/// let cors = CorsSecurityLayer::builder().allow_origins([TEAM, origin!("http://localhost:*")]).build()?;
/// # let _ = cors;
/// # Ok::<_, portcullis::config_error::ConfigError>(())
/// ```
///
/// What no browser would ever send does not compile, and the compiler says why:
///
/// ```text
/// error[E0080]: evaluation panicked: this origin has a trailing slash, which browsers never send (remove the slash)
/// ```
///
/// ```compile_fail,E0080
/// let app = portcullis::cors::origin!("https://app.example.com/");
/// ```
///
/// ```compile_fail,E0080
/// let all = portcullis::cors::origin!("https://app.*.example.com");
/// ```
///
/// ```compile_fail,E0080
/// let sandboxed = portcullis::cors::origin!("null");
/// ```
#[macro_export]
macro_rules! origin {
    ($text:expr $(,)?) => {
        const {
            if let ::core::option::Option::Some(complaint) = $crate::cors::OriginPattern::complaint($text) {
                ::core::panic!("{}", complaint);
            }
            $crate::cors::OriginPattern::literal($text)
        }
    };
}

pub use origin;
