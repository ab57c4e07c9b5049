//! The ways to a real Redis server: by URL, by a client, over a connection; plain and with TLS.

use std::time::Duration;

use portcullis::{
    backend::redis::{RedisStore, RedisStoreBuilder},
    store::StoreError,
};
use portcullis_interop::redis::Redis;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use redis::{Client, TlsCertificates};

fn built(builder: RedisStoreBuilder) -> RedisStore {
    builder.time_budget(Duration::from_secs(2)).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_or_a_connection_of_the_applications_will_do() {
    let mut redis = Redis::start();
    let client = Client::open(redis.url()).unwrap();
    let connection = client.get_connection_manager().await.unwrap();
    let (by_client, over) = (built(RedisStore::from_client(client)), built(RedisStore::from_connection(connection)));
    by_client.ping().await.unwrap();
    over.ping().await.unwrap();
    redis.kill();
    assert!(by_client.ping().await.is_err() && over.ping().await.is_err());
    redis.restart();
    by_client.ping().await.unwrap();
    // The application's connection reconnects in its own way: here, with a pause.
    for attempt in 0.. {
        match over.ping().await {
            Ok(()) => break,
            Err(error) => assert!(attempt < 100, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_and_a_stranger_is_not_believed() {
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&key).unwrap().pem();
    let (authority, server_key) = (Issuer::new(authority, key), KeyPair::generate().unwrap());
    let names = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = names.signed_by(&server_key, &authority).unwrap().pem();
    let (_redis, url) = Redis::with_tls(&certificate, &server_key.serialize_pem());

    let certificates = TlsCertificates { client_tls: None, root_cert: Some(root.into_bytes()) };
    let trusting = Client::build_with_tls(url.as_str(), certificates).unwrap();
    built(RedisStore::from_client(trusting)).ping().await.unwrap();
    // The roots of the system do not know this authority.
    let error = built(RedisStore::builder(&url)).ping().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}
