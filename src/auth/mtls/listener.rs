use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};

use crate::request::TlsPeer;

/// A listener of yours whose addresses are [`TlsPeer`]s, made fit for axum's `ConnectInfo`: serve it
/// with `into_make_service_with_connect_info::<TlsPeer>()`.
#[derive(Debug)]
pub struct TlsPeers<L>(pub L);

impl<L: Listener<Addr = TlsPeer>> Listener for TlsPeers<L> {
    type Io = L::Io;
    type Addr = TlsPeer;

    async fn accept(&mut self) -> (Self::Io, TlsPeer) {
        self.0.accept().await
    }

    fn local_addr(&self) -> std::io::Result<TlsPeer> {
        self.0.local_addr()
    }
}

impl<L: Listener<Addr = Self>> Connected<IncomingStream<'_, TlsPeers<L>>> for TlsPeer {
    fn connect_info(stream: IncomingStream<'_, TlsPeers<L>>) -> Self {
        stream.remote_addr().clone()
    }
}
