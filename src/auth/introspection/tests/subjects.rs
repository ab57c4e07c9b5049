//! Who the caller becomes.

use super::*;

async fn caller(answer: &Value) -> String {
    let body = axum::body::to_bytes(Scene::new(answer).send("t").await.into_body(), 1_000).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_clients_own_token_is_the_clients() {
    let mut answer = without("sub");
    for username in [None, Some(json!(null))] {
        answer.as_object_mut().unwrap().remove("username");
        if let Some(username) = username {
            answer["username"] = username;
        }
        assert_eq!(caller(&answer).await, "web opaque_token web read:orders");
    }
}

/// Else all users of a client were one caller; and a username may be given to somebody else.
#[tokio::test]
async fn a_users_token_without_a_subject_is_nobodys() {
    for client in [json!("web"), json!(null)] {
        for (sub, username) in [(json!(null), json!("jane")), (json!(null), json!("")), (json!(null), json!(7))] {
            let mut answer = with("client_id", client.clone());
            answer["sub"] = sub;
            answer["username"] = username.clone();
            let (kind, why) = Scene::new(&answer).refused("t").await;
            assert_eq!(kind, RejectionKind::InvalidToken, "{client} {username}");
            assert!(why.contains("sub"), "{why}");
        }
    }
    assert_eq!(caller(&good()).await, "usr_1 opaque_token web read:orders");
}
