//! Which of a rule's limits holds. The documents' tables themselves are replayed in `tests/rate_tables.rs`.

use super::*;

#[tokio::test]
async fn an_endpoint_of_another_plan_hides_no_limit() {
    let get = Method::GET;
    let app = App::of(
        Rule::new("clients", Key::client(), Rate::per_minute(100))
            .plan_endpoint("pro", get.clone(), "/users/{id}", Rate::per_minute(50))
            .endpoint(get.clone(), "/users/{id}", Rate::per_minute(9))
            .endpoint(get.clone(), "/users/7", Rate::per_minute(3)),
    );
    assert_eq!(app.burst(&get, "/users/7", None, "203.0.113.7").await, 3, "the one that says most");
    assert_eq!(app.burst(&get, "/users/8", None, "203.0.113.7").await, 9);
    assert_eq!(app.burst(&get, "/users/8", Some("jwt,t,u,pro"), "203.0.113.7").await, 50);
    let hidden = App::of(
        Rule::new("clients", Key::client(), Rate::per_minute(100))
            .plan_endpoint("pro", get.clone(), "/users/{id}", Rate::per_minute(50))
            .endpoint(get.clone(), "/users/7", Rate::per_minute(3)),
    );
    assert_eq!(hidden.burst(&get, "/users/7", None, "203.0.113.7").await, 3);
}

#[tokio::test]
async fn a_plan_may_be_without_limit() {
    let rule = Rule::new("clients", Key::client(), Rate::per_minute(1)).plan("internal", Limit::unlimited());
    let app = App::of(rule);
    for _ in 0..50 {
        assert_eq!(app.status(request(Method::GET, "/", Some("key,k,u,internal"), "203.0.113.7")).await, 200);
    }
}
