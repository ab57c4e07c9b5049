/// Implements [`FieldScopes`](crate::authz::fields::FieldScopes) for one or more types.
///
/// ```
/// use portcullis::authz::fields::field_scopes;
/// use serde::Serialize;
///
/// #[derive(Serialize)]
/// struct Order {
///     margin: f64,
///     #[serde(rename = "internalNote")]
///     note: String,
///     lines: Vec<Line>,
///     extra: serde_json::Value,
/// }
///
/// #[derive(Serialize)]
/// struct Line {
///     cost: f64,
/// }
///
/// field_scopes! {
///     Order {
///         margin => "read:margins",
///         note as "internalNote" => "read:notes",
///         lines => Line,
///         "/extra/risk" => "read:risk",
///     }
///     Line { cost => "read:costs" }
/// }
/// ```
///
/// | row | |
/// |---|---|
/// | `field => "scope"` | the field needs the scope; the compiler looks whether it exists |
/// | `field as "name" => "scope"` | the same, where the JSON has another name |
/// | `field => Type`, `field as "name" => Type` | in the field, or in each item of it, lies a `Type`, whose rows hold there, too |
/// | `"/path" => "scope"` | a [path](crate::authz::fields::Field), which nobody looks after |
///
/// ```compile_fail
/// struct Order { margin: f64 }
/// portcullis::authz::fields::field_scopes! { Order { margins => "read:margins" } }
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __field_scopes {
    ($($type:ident { $($rows:tt)* })*) => {$(
        impl $crate::authz::fields::FieldScopes for $type {
            const FIELDS: &'static [$crate::authz::fields::Field] =
                $crate::authz::fields::field_scopes!(@rows $type [] $($rows)*);
        }
    )*};
    (@rows $type:ident [$($done:tt)*]) => { &[$($done)*] };
    (@rows $type:ident [$($done:tt)*] $path:literal => $scope:literal $(, $($rest:tt)*)?) => {
        $crate::authz::fields::field_scopes!(@rows $type [
            $($done)* $crate::authz::fields::Field::needs($path, $scope),
        ] $($($rest)*)?)
    };
    (@rows $type:ident [$($done:tt)*] $field:ident => $scope:literal $(, $($rest:tt)*)?) => {
        $crate::authz::fields::field_scopes!(@rows $type [
            $($done)* $crate::authz::fields::field_scopes!(@exists $type $field needs ::core::concat!("/", ::core::stringify!($field)), $scope),
        ] $($($rest)*)?)
    };
    (@rows $type:ident [$($done:tt)*] $field:ident as $name:literal => $scope:literal $(, $($rest:tt)*)?) => {
        $crate::authz::fields::field_scopes!(@rows $type [
            $($done)* $crate::authz::fields::field_scopes!(@exists $type $field needs ::core::concat!("/", $name), $scope),
        ] $($($rest)*)?)
    };
    (@rows $type:ident [$($done:tt)*] $field:ident => $inner:ty $(, $($rest:tt)*)?) => {
        $crate::authz::fields::field_scopes!(@rows $type [
            $($done)* $crate::authz::fields::field_scopes!(@exists $type $field holds ::core::concat!("/", ::core::stringify!($field)),
                <$inner as $crate::authz::fields::FieldScopes>::FIELDS),
        ] $($($rest)*)?)
    };
    (@rows $type:ident [$($done:tt)*] $field:ident as $name:literal => $inner:ty $(, $($rest:tt)*)?) => {
        $crate::authz::fields::field_scopes!(@rows $type [
            $($done)* $crate::authz::fields::field_scopes!(@exists $type $field holds ::core::concat!("/", $name),
                <$inner as $crate::authz::fields::FieldScopes>::FIELDS),
        ] $($($rest)*)?)
    };
    (@exists $type:ident $field:ident $rule:ident $path:expr, $what:expr) => {{
        #[allow(dead_code)]
        fn exists(value: &$type) {
            let _ = &value.$field;
        }
        $crate::authz::fields::Field::$rule($path, $what)
    }};
}

#[doc(inline)]
pub use __field_scopes as field_scopes;
