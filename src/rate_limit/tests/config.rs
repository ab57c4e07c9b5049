use super::*;
use crate::config_error::ConfigError;

fn build(rules: impl IntoIterator<Item = Rule>) -> Result<RateLimitLayer, ConfigError> {
    let builder = RateLimitLayer::builder(crate::backend::memory::MemoryStore::new());
    rules.into_iter().fold(builder, RateLimitLayerBuilder::rule).build()
}

#[test]
fn every_mistake_is_listed_at_once() {
    let bad = Rule::new("bad", Key::global().and(Key::ip()), Rate::per_minute(0))
        .plan("free", Rate::per_minute(1).burst(0))
        .plan("", Rate::per_minute(1))
        .endpoint(Method::GET, "/users/:id", Rate::per(1, Duration::ZERO))
        .endpoint(Method::GET, "/users/:id", Rate::per_minute(5))
        .plan_endpoint("free", Method::GET, "/x", Rate::per_second(Rate::MOST + 1))
        .on(Method::GET, "x");
    let expensive = Rule::new("bad", Key::ip(), Rate::per_minute(5)).cost(6);
    let windowed = Rule::new("naïve", Key::ip(), Rate::per_minute(5).burst(7)).cost(0).fixed_window();
    let error = build([bad, expensive, windowed]).unwrap_err();
    let found: Vec<_> = error.issues().iter().map(|issue| issue.field.as_ref()).collect();
    for field in [
        "rule[bad]",
        "rule[bad].key",
        "rule[bad].on[GET x]",
        "rule[bad].plan",
        "rule[bad].plan[free]",
        "rule[bad].plan[free].burst",
        "rule[bad].endpoint[GET /users/:id]",
        "rule[bad].endpoint[GET /users/:id].period",
        "rule[bad].plan_endpoint[free, GET /x].rate",
        "rule[bad].limit.rate",
        "rule[bad].limit",
        "rule[naïve].name",
        "rule[naïve].cost",
        "rule[naïve].limit.burst",
    ] {
        assert!(found.contains(&field), "{field} is missing in {error}");
    }
    assert!(error.issues().iter().any(|issue| issue.reason == "it is given twice"), "{error}");
    assert!(error.issues().iter().all(|issue| !issue.cure.is_empty()));
}

#[test]
fn no_rule_is_a_mistake() {
    assert!(build([]).unwrap_err().to_string().contains("there is no rule"));
}

#[test]
fn eight_rules_fit_one_request_and_nine_do_not() {
    let rule = |index: usize| Rule::new(format!("r{index}"), Key::ip(), Rate::per_minute(5));
    assert!(build((0..8).map(rule)).is_ok());
    assert!(build((0..9).map(rule)).unwrap_err().to_string().contains("more than 8 rules"));
    // What cannot meet in one request is not counted together.
    let apart = |index: usize| rule(index).on(Method::GET, &format!("/r{index}"));
    assert!(build((0..30).map(apart)).is_ok());
    assert!(build((0..30).map(apart).chain((30..38).map(rule))).is_err());
    let meeting = |index: usize| rule(index).on(Method::GET, &format!("/r{index}")).on(Method::GET, "/{any}");
    assert!(build((0..9).map(meeting)).is_err());
}

#[test]
fn three_parts_of_a_key_fit_and_four_do_not() {
    let three = Key::client().and(Key::ip()).and(Key::endpoint());
    let rule = |key| Rule::new("r", key, Rate::per_minute(5));
    assert!(build([rule(three.clone())]).is_ok());
    assert!(build([rule(three.and(Key::tenant()))]).is_err());
    assert!(build([rule(Key::global().and(Key::endpoint()))]).is_ok());
}

#[test]
fn rates_are_bounded() {
    for rate in [
        Rate::per(1, Duration::from_secs(367 * 86_400)),
        Rate::per_hour(1).burst(Rate::MOST),
        Rate::per(1, Duration::MAX),
    ] {
        assert!(TokenBucket::new(rate).is_err(), "{rate}");
    }
    assert!(TokenBucket::new(Rate::per_second(Rate::MOST)).is_ok());
    assert!(TokenBucket::new(Rate::per(1, Duration::from_nanos(1))).is_ok());
}
