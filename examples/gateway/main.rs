//! The main job: seven layers protect a real API.
//!
//! `cargo run --example gateway` needs nothing but loopback. It prints ready-to-paste `curl` lines
//! and the tokens, keys and secrets that they need; audit records go to stderr, or into the file
//! that `PORTCULLIS_AUDIT` names. `PORTCULLIS_ADDR` is where it listens (127.0.0.1:3000).

mod app;

use std::{
    env,
    error::Error,
    io::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use portcullis::audit::{AuditSink, JsonLines};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// A client that never finishes must not keep the process from ending; longer than [`app::LONGEST`],
/// so that every request in flight still leaves its record.
const DRAIN: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    // If it cannot be written, the code still says it.
    let _ = writeln!(std::io::stderr(), "gateway: {error}");
    ExitCode::FAILURE
}

async fn run() -> Result<(), Box<dyn Error>> {
    let address = env::var("PORTCULLIS_ADDR").unwrap_or_else(|_| "127.0.0.1:3000".into());
    let listener = TcpListener::bind(&address)
        .await
        .map_err(|error| format!("PORTCULLIS_ADDR={address}: cannot listen: {error}"))?;
    let base_url = base_url(listener.local_addr()?);
    let Some(path) = env::var_os("PORTCULLIS_AUDIT") else {
        return serve(listener, &base_url, JsonLines::stderr()).await;
    };
    let file =
        JsonLines::file(&path).map_err(|error| format!("PORTCULLIS_AUDIT={}: {error}", path.to_string_lossy()))?;
    serve(listener, &base_url, file).await
}

async fn serve(listener: TcpListener, base_url: &str, sink: impl AuditSink) -> Result<(), Box<dyn Error>> {
    // Before anybody is told that it is ready: until then, a signal ends the process at once.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let gateway = app::build(&app::issuer(base_url), sink)?;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let drained = {
        let mut stopped = stopped.clone();
        async move { drop(stopped.wait_for(|stop| *stop).await) }
    };
    let service = gateway.router.into_make_service_with_connect_info::<SocketAddr>();
    let server = tokio::spawn(async move { axum::serve(listener, service).with_graceful_shutdown(drained).await });

    gateway.tokens.warm_up().await?;
    announce(base_url, &gateway.environment)?;

    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    stop.send_replace(true);
    if let Ok(ended) = tokio::time::timeout(DRAIN, server).await {
        ended??;
    }
    gateway.tokens.shutdown().await;
    match gateway.audit.handle().shutdown().await.lost {
        0 => Ok(()),
        lost => Err(format!("{lost} audit records could not be written").into()),
    }
}

fn base_url(address: SocketAddr) -> String {
    let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

fn announce(base_url: &str, environment: &[(&str, String)]) -> std::io::Result<()> {
    let value = |name: &str| environment.iter().find(|(held, _)| *held == name).map_or("", |(_, value)| value);
    let mut out = std::io::stdout().lock();
    writeln!(out, "# try these:")?;
    writeln!(out, "curl -i {base_url}/api/orders")?;
    writeln!(out, "curl -i {base_url}/api/orders -H 'Authorization: Bearer {}'", value("TOKEN_READ"))?;
    writeln!(
        out,
        "curl -i {base_url}/api/orders -H 'Authorization: Bearer {}' --json '{{\"item\":\"tea\",\"quantity\":2}}'",
        value("TOKEN_WRITE")
    )?;
    writeln!(out, "curl -i {base_url}/quota/demo -H 'X-API-Key: {}'", value("API_KEY"))?;
    writeln!(
        out,
        "curl -i -X OPTIONS {base_url}/api/orders -H 'Origin: https://app.example.com' -H 'Access-Control-Request-Method: GET'"
    )?;
    writeln!(
        out,
        "for i in 1 2 3 4 5 6; do curl -s -o /dev/null -w '%{{http_code}}\\n' -X POST {base_url}/auth/login; done"
    )?;
    writeln!(
        out,
        "body='{{\"zen\":\"Speak like a human.\"}}'; curl -i {base_url}/webhooks/github -H 'X-GitHub-Delivery: 1' \
         -H \"X-Hub-Signature-256: sha256=$(printf %s \"$body\" | openssl dgst -sha256 -hmac {} | sed 's/.* //')\" --data-raw \"$body\"",
        value("GITHUB_SECRET")
    )?;
    for (name, value) in environment {
        writeln!(out, "{name}={value}")?;
    }
    writeln!(out, "READY")?;
    out.flush()
}
