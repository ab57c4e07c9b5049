//! Lists.

use axum::routing::get;

use super::*;

async fn list(scope: ListScope<Order, Read>) -> String {
    format!("{:?}", scope.filter())
}

async fn open(scope: ListScope<Open, Read>) -> String {
    format!("{:?}", scope.filter())
}

/// Takes the scope and does not use it.
async fn forgets(_: ListScope<Order, Read>) -> &'static str {
    "everybody's"
}

fn app() -> Router {
    let routes = Router::new().route("/orders", get(list)).route("/open", get(open)).route("/forgets", get(forgets));
    guarded(routes, &orders())
}

#[tokio::test]
async fn a_list_is_as_wide_as_the_caller_reaches() {
    let app = app();
    for (path, caller, expected) in [
        ("/orders", "ann;north;iss;", "Own { subject: \"ann\", issuer: Some(\"iss\"), tenant: Some(\"north\") }"),
        ("/orders", "ann;north;;read:orders:own", "Own { subject: \"ann\", issuer: None, tenant: Some(\"north\") }"),
        ("/orders", "sue;north;;read:orders", "Tenant(\"north\")"),
        ("/orders", "sue;north;;admin:orders", "Tenant(\"north\")"),
        ("/orders", "root;north;;admin:platform", "All"),
        ("/orders", "root;;;admin:platform", "All"),
        ("/open", "ann;north;;", "Own { subject: \"ann\", issuer: None, tenant: None }"),
        ("/open", "ann;;;admin:orders", "All"),
    ] {
        assert_eq!(fetch(&app, path, caller).await.text(), expected, "{caller}");
    }
    for (path, caller, status) in [
        ("/orders", "ann;;;", 403),
        ("/orders", "sue;;;read:orders admin:orders", 403),
        ("/orders", ";north;;", 403),
        ("/open", ";north;;", 403),
        ("/open", ";;;admin:orders", 200),
        ("/orders", "nobody", 401),
        ("/forgets", "ann;north;;", 500),
    ] {
        assert_eq!(fetch(&app, path, caller).await.status, status, "{path} {caller}");
    }
}

/// What the filter admits is what `Authorized` hands out, wherever no policy says otherwise.
#[tokio::test]
async fn a_list_shows_what_can_be_read() {
    async fn ids(State(orders): State<Orders>, scope: ListScope<Order, Read>) -> String {
        let filter = scope.filter();
        let by_sql = |order: &&Order| {
            filter.owner().is_none_or(|owner| order.owner == owner)
                && filter.tenant().is_none_or(|tenant| order.shop.as_deref() == Some(tenant))
                && (filter.owner().is_none() || order.issuer.is_none())
        };
        let plain = |order: &&Order| order.policy.is_empty();
        let admitted: Vec<u64> =
            orders.rows.values().filter(plain).filter(|order| filter.admits(*order)).map(|order| order.id).collect();
        let queried: Vec<u64> = orders.rows.values().filter(plain).filter(by_sql).map(|order| order.id).collect();
        assert_eq!(admitted, queried);
        format!("{admitted:?}")
    }
    async fn read(order: Authorized<Order, Read>) -> String {
        order.id.to_string()
    }
    use axum::extract::State;
    let orders = orders();
    let app = guarded(Router::new().route("/orders", get(ids)).route("/orders/{id}", get(read)), &orders);
    for caller in ["ann;north;;", "bob;north;;", "ann;south;;", "sue;north;;read:orders", "root;;;admin:platform"] {
        let listed = fetch(&app, "/orders", caller).await;
        let mut readable = Vec::new();
        for order in orders.rows.values().filter(|order| order.policy.is_empty()) {
            if fetch(&app, &format!("/orders/{}", order.id), caller).await.status == 200 {
                readable.push(order.id);
            }
        }
        assert_eq!(listed.text(), format!("{readable:?}"), "{caller}");
        assert!(!readable.is_empty(), "{caller}");
    }
}
