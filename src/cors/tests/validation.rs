//! Configurations that are not ours.

use serde_json::{Value, json};

use super::*;
use crate::{cors::validate_configuration, lint::Severity};

#[test]
fn the_seeds_four_findings_word_for_word() {
    for (configuration, severity, message, fix) in [
        (
            json!({ "allowOrigin": "*", "allowCredentials": true, "allowMethods": [] }),
            Severity::Critical,
            "Wildcard origin (*) cannot be used with credentials",
            "Specify exact allowed origins",
        ),
        (
            json!({ "allowOrigin": "null", "allowMethods": [] }),
            Severity::High,
            "Allowing null origin is dangerous",
            "Remove null from allowed origins",
        ),
        (
            json!({ "reflectOrigin": true, "allowMethods": [] }),
            Severity::Critical,
            "Reflecting Origin header without validation allows any origin",
            "Implement origin whitelist validation",
        ),
        (
            json!({ "allowOrigin": APP, "allowMethods": ["GET", "*"] }),
            Severity::Medium,
            "Wildcard methods (*) are overly permissive",
            "Specify exact allowed methods",
        ),
    ] {
        let report = validate_configuration(&configuration);
        assert_eq!(report.issues().len(), 1, "{report}");
        let issue = &report.issues()[0];
        assert_eq!((issue.severity, &*issue.message, &*issue.fix), (severity, message, fix));
    }
}

#[test]
fn settings_are_known_by_all_their_names() {
    for configuration in [
        json!({ "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true" }),
        json!({ "allow_origins": ["*"], "allow_credentials": true }),
        json!({ "allowed-origins": "https://app.example.com, *", "supportsCredentials": true }),
        json!({ "origin": "*", "credentials": "TRUE" }),
    ] {
        let report = validate_configuration(&configuration);
        assert_eq!(report.with_code("wildcard-origin-with-credentials").count(), 1, "{configuration}: {report}");
    }
}

#[test]
fn what_cannot_be_read_is_said_and_what_is_unknown_is_not() {
    for (configuration, times) in [
        (json!(null), 1),
        (json!([]), 1),
        (json!({ "allowOrigin": 7 }), 1),
        (json!({ "allowOrigin": [7, {}] }), 1),
        (json!({ "allowCredentials": "yes" }), 1),
        (json!({ "reflectOrigin": 1 }), 1),
        (json!({ "maxAge": -1 }), 1),
        (json!({ "maxAge": "soon" }), 1),
        (json!({ "colour": 7, "allowOrigin": null, "maxAge": null }), 0),
    ] {
        let report = validate_configuration(&configuration);
        assert_eq!(report.with_code("unreadable-setting").count(), times, "{configuration}: {report}");
    }
}

#[test]
fn the_seeds_own_configuration_is_sound() {
    let report = validate_configuration(&json!({
        "allowOrigin": ["https://app.example.com", "https://admin.example.com", "https://partner.example.com"],
        "allowCredentials": true,
        "allowMethods": ["GET", "POST", "PUT", "DELETE", "PATCH"],
        "allowHeaders": ["Content-Type", "X-API-Key", "X-Request-ID"],
        "exposeHeaders": ["Retry-After", "X-RateLimit-Remaining", "X-Request-ID"],
        "maxAge": 7200,
    }));
    assert!(report.is_empty(), "{report}");
}

fn anything() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        proptest::sample::select(vec!["*", "null", "https://*.example.com", "GET"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 16, 4, |inner| {
        let name =
            proptest::sample::select(vec!["allowOrigin", "credentials", "methods", "maxAge", "reflectOrigin", "x"]);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name, inner), 0..4).prop_map(|pairs| {
                pairs
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            }),
        ]
    })
}

proptest::proptest! {
    #[test]
    fn no_value_makes_it_panic(configuration in anything()) {
        let _ = validate_configuration(&configuration);
    }
}
