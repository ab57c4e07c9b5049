//! Objects and properties.

use axum::{Router, body::Body, routing};
use http::Request;
use portcullis::{
    authz::{
        Requirement, ScopeLayer,
        fields::{Field, FieldScopes, Writable},
        object::{Authorized, Load, Read, Resource, Tenancy},
    },
    store::StoreError,
    testing::{principal, with_principal},
};
use serde::Deserialize;
use tower::ServiceBuilder;

use super::{Observed, get, status};

const OBJECTS: &str = "Objects and properties";

struct Note(&'static str);

impl Resource for Note {
    type Id = u64;
    const KIND: &'static str = "notes";
    const TENANCY: Tenancy = Tenancy::Shared;

    fn owner(&self) -> &str {
        self.0
    }
}

#[derive(Clone)]
struct Notes;

impl Load<Note> for Notes {
    async fn load(&self, id: &u64, _: Option<&str>) -> Result<Option<Note>, StoreError> {
        Ok(match id {
            1 => Some(Note("usr_1")),
            2 => Some(Note("usr_2")),
            _ => None,
        })
    }
}

#[derive(Deserialize)]
struct Form {}

impl FieldScopes for Form {
    const FIELDS: &'static [Field] = &[Field::needs("/price", "write:prices")];
}

pub(super) async fn look(seen: &mut Observed) {
    let app = |scopes: &[&str], requirement: Requirement| {
        let caller = principal("usr_1").scopes(scopes.iter().copied()).build();
        let scope = ScopeLayer::builder(requirement).build().unwrap();
        Router::new()
            .route("/notes/{id}", routing::get(|_: Authorized<Note, Read>| async {}))
            .route("/unchecked/{id}", routing::get(|| async {}).post(|_: Writable<Form>| async {}))
            .with_state(Notes)
            .layer(ServiceBuilder::new().layer(with_principal(caller)).layer(scope))
    };
    let read = || Requirement::all(["read:orders"]);
    let own = app(&["read:orders:own"], read());
    let refused = status(&own, get("/unchecked/1", &[])).await;
    seen.see("Scopes", "`read:orders:own` where `read:orders` is required", refused.to_string());

    let every = ["read:orders", "read:notes", "write:notes", "admin:notes", "admin:orders"];
    let (plain, owing) = (app(&every, read()), app(&every, read().object_level()));
    assert_eq!(status(&plain, get("/notes/1", &[])).await, 200);
    let others = status(&plain, get("/notes/2", &[])).await;
    assert_eq!(others, 404);
    seen.see(OBJECTS, "who may have an object", "its owner");
    seen.see(OBJECTS, "another's object", others.to_string());
    seen.see(OBJECTS, "an id that cannot be read", status(&plain, get("/notes/x", &[])).await.to_string());

    let unchecked = status(&owing, get("/unchecked/1", &[])).await;
    seen.see(OBJECTS, "an answer without the check that the route owes", unchecked.to_string());
    assert_eq!(status(&plain, get("/unchecked/1", &[])).await, 200);
    seen.see(OBJECTS, "which routes owe the check", "those that say so");

    let form = Request::post("/unchecked/1").header("content-type", "application/json");
    let form = form.body(Body::from(r#"{"price":1}"#)).unwrap();
    seen.see(OBJECTS, "a property in the body whose scope the caller lacks", status(&plain, form).await.to_string());
}
