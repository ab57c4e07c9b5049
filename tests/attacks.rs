//! Every class of attack on credentials against one layer that accepts all kinds of them at once:
//! nobody gets in, nothing panics, and no attacker sees an error of ours.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a check that cannot go on is to panic"
)]

#[path = "attacks/certificates.rs"]
mod certificates;
#[path = "attacks/combined.rs"]
mod combined;
#[path = "attacks/keys.rs"]
mod keys;
#[path = "attacks/proofs.rs"]
mod proofs;
#[path = "attacks/scene.rs"]
mod scene;
#[path = "attacks/signatures.rs"]
mod signatures;
#[path = "attacks/tokens.rs"]
mod tokens;

use std::collections::BTreeMap;

use scene::{Attack, Scene};

#[tokio::test]
async fn whoever_should_get_in_does() {
    let scene = Scene::new().await;
    for (name, request) in scene.honest() {
        let answer = scene.send(request).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
        assert!(!answer.body.contains("admin"), "{name}: what the caller says of itself is not believed");
    }
}

#[tokio::test]
async fn no_attack_gets_in_and_none_breaks_anything() {
    let scene = Scene::new().await;
    let all = [
        tokens::attacks(&scene),
        keys::attacks(&scene).await,
        proofs::attacks(&scene),
        certificates::attacks(&scene),
        signatures::attacks(&scene),
        combined::attacks(&scene),
    ];
    let (mut classes, mut wrong) = (BTreeMap::<&str, usize>::new(), Vec::new());
    for Attack { class, name, before, request } in all.into_iter().flatten() {
        *classes.entry(class).or_default() += 1;
        for request in before {
            assert_eq!(scene.send(request).await.status, 200, "{class}, {name}: what is replayed was good");
        }
        let answer = scene.send(request).await;
        if !(400..500).contains(&answer.status) {
            wrong.push(format!("{class}, {name}: {} {}", answer.status, answer.body));
        }
        assert_eq!(answer.headers["cache-control"], "no-store", "{class}, {name}");
        // What the attacker sent comes back nowhere, nor what the service knows of itself.
        let told = format!("{} {:?}", answer.body, answer.headers);
        for needle in scene.secrets().into_iter().chain([scene::NEEDLE.to_owned()]) {
            assert!(!told.contains(&needle), "{class}, {name}: {told}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let count: usize = classes.values().sum();
    assert!(count >= 700 && classes.len() >= 50, "{count} attacks in {classes:#?}");
    // After all of that, the honest still get in.
    for (name, request) in scene.honest() {
        assert_eq!(scene.send(request).await.status, 200, "{name}");
    }
}

/// The same where a credential is optional: a bad one is refused there, too.
#[tokio::test]
async fn an_optional_layer_refuses_what_is_bad() {
    let scene = Scene::optional().await;
    let tokens = tokens::attacks(&scene).into_iter().chain(keys::attacks(&scene).await);
    for Attack { class, name, before, request } in tokens.chain(signatures::attacks(&scene)) {
        for request in before {
            assert_eq!(scene.send(request).await.status, 200, "{class}, {name}");
        }
        let answer = scene.send(request).await;
        // Where the layer looks for no credential there is none, and the caller is nobody.
        let anonymous = class == "where nobody looks" && answer.status == 200 && answer.body == "nobody";
        assert!(anonymous || (400..500).contains(&answer.status), "{class}, {name}: {} {}", answer.status, answer.body);
    }
}
