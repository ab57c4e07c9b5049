//! Objects that were found otherwise.

use axum::{
    extract::{Query, State},
    routing::get,
};

use super::*;

type Ids = Query<Vec<(String, u64)>>;

fn named(orders: &Orders, ids: &Ids) -> Vec<Order> {
    ids.iter().map(|(_, id)| orders.rows[id].clone()).collect()
}

async fn all(State(orders): State<Orders>, access: Access<Order, Read>, ids: Ids) -> Result<String, Rejection> {
    let orders = named(&orders, &ids);
    access.check_all(&orders)?;
    Ok(format!("{}", orders.len()))
}

async fn some(State(orders): State<Orders>, access: Access<Order, Read>, ids: Ids) -> Result<String, Rejection> {
    let mut orders = named(&orders, &ids);
    access.retain(&mut orders)?;
    Ok(format!("{:?}", orders.iter().map(|order| order.id).collect::<Vec<_>>()))
}

async fn proof(State(orders): State<Orders>, access: Access<Order, Read>, ids: Ids) -> Result<String, Rejection> {
    let order: Authorized<Order, Read> = access.admit(named(&orders, &ids).remove(0))?;
    Ok(order.owner.clone())
}

/// Another policy, which had to be awaited.
async fn with(State(orders): State<Orders>, access: Access<Order, Read>, ids: Ids) -> Result<&'static str, Rejection> {
    let order = named(&orders, &ids).remove(0);
    let opinion = match order.id {
        1 => Opinion::Veto,
        2 => Opinion::Indeterminate(StoreError::TimedOut),
        3 | 5 => Opinion::Grant,
        _ => Opinion::Abstain,
    };
    access.check_with(&order, opinion).map(|()| "yes")
}

fn app() -> Router {
    let routes = Router::new()
        .route("/all", get(all))
        .route("/some", get(some))
        .route("/proof", get(proof))
        .route("/with", get(with));
    guarded(routes, &orders())
}

#[tokio::test]
async fn each_of_a_batch_is_checked() {
    let app = app();
    for (path, status, text) in [
        ("/all?id=1&id=2", 200, "2"),
        ("/all", 200, "0"),
        ("/all?id=1&id=3", 404, ""),
        ("/all?id=3&id=1", 404, ""),
        ("/all?id=1&id=5", 404, ""),
        ("/all?id=1&id=16", 503, ""),
        ("/some?id=1&id=3&id=2&id=5&id=12&id=14", 200, "[1, 2, 14]"),
        ("/some", 200, "[]"),
        ("/some?id=1&id=16", 503, ""),
        ("/proof?id=1", 200, "ann"),
        ("/proof?id=3", 404, ""),
        ("/with?id=1", 404, ""),
        ("/with?id=2", 503, ""),
        ("/with?id=3", 200, "yes"),
        // A grant does not reach into another tenant.
        ("/with?id=5", 404, ""),
        ("/with?id=4", 404, ""),
        ("/with?id=22", 404, ""),
    ] {
        let answer = fetch(&app, path, "ann;north;;").await;
        assert_eq!(answer.status, status, "{path}");
        assert!(status != 200 || answer.text() == text, "{path} {}", answer.text());
    }
    assert_eq!(fetch(&app, "/all?id=1", "nobody").await.status, 401);
}
