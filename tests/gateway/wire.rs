//! HTTP/1.1 by hand over TCP: what no client library would send, and when it would not.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Much more than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const FRAMING: [&str; 2] = ["content-length", "transfer-encoding"];

/// A connection.
pub(crate) struct Wire {
    stream: TcpStream,
    /// Read, and not yet part of a response.
    rest: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Wire {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), rest: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// The next response; `None` if the server has closed the connection.
    pub(crate) async fn receive(&mut self) -> Option<Response> {
        tokio::time::timeout(PATIENCE, self.read_response()).await.expect("an answer in time")
    }

    async fn read_response(&mut self) -> Option<Response> {
        let head = loop {
            if let Some(at) = self.rest.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.rest.drain(..at + 4).collect();
                break String::from_utf8(head).unwrap();
            }
            self.more().await?;
        };
        let status = head[9..12].parse().unwrap();
        let mut response = Response { status, head, body: Vec::new() };
        let length = response.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.rest.len() < length {
            self.more().await?;
        }
        response.body = self.rest.drain(..length).collect();
        // A server may say 100 first.
        if status == 100 { Box::pin(self.read_response()).await } else { Some(response) }
    }

    async fn more(&mut self) -> Option<()> {
        // A reset is an end, too.
        let read = self.stream.read_buf(&mut self.rest).await.unwrap_or(0);
        (read > 0).then_some(())
    }
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(held, _)| held.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn id(&self) -> &str {
        self.header("x-request-id").unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A request with this head and body.
pub(crate) fn request(line: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{line} HTTP/1.1\r\nhost: gateway\r\n");
    for (name, value) in headers {
        text.extend([*name, ": ", *value, "\r\n"]);
    }
    if !body.is_empty() && !headers.iter().any(|(name, _)| FRAMING.contains(name)) {
        text.extend(["content-length: ", &body.len().to_string(), "\r\n"]);
    }
    text + "\r\n" + body
}
