use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use http::Request;

use super::{
    builder::IpFilterLayerBuilder,
    handle::IpFilterHandle,
    lists::{Compiled, Judgement, Unlisted},
    scope::Scope,
};
use crate::{
    blocks::{Block, BlockList, Known},
    gate::{Entry, Gate, GateLayer, VerdictCounts, Waited, layer_of_gate},
    lint::{Report, Waivers},
    rejection::{Rejection, RejectionKind},
    request::{Cidr, ClientIp, Outcome, Place, RequestContext, TrailName},
    time::Now,
};

/// Lets in, and keeps out, by the client's address. See the [module](super).
#[derive(Clone, Debug)]
pub struct IpFilterLayer {
    gate: GateLayer<IpFilterGate>,
}

impl IpFilterLayer {
    /// Begins with nobody on either list.
    pub fn builder() -> IpFilterLayerBuilder {
        IpFilterLayerBuilder::default()
    }

    pub(super) fn of(gate: IpFilterGate) -> Self {
        Self { gate: GateLayer::new(gate) }
    }

    /// To replace the lists while the layer serves, and to read what a dry run has counted.
    pub fn handle(&self) -> IpFilterHandle {
        IpFilterHandle::new(self.gate.gate().map(Arc::clone))
    }

    /// How often the layer said what.
    pub fn verdicts(&self) -> VerdictCounts {
        self.gate.verdicts()
    }

    /// What is doubtful about the lists and settings that are in force, with the reasons for what is
    /// allowed.
    pub fn report(&self) -> Report {
        self.gate.gate().map(|gate| gate.state.load().report.clone()).unwrap_or_default()
    }
}

layer_of_gate!(IpFilterLayer => IpFilterGate, |layer| layer.gate.clone());

/// The gate of [`IpFilterLayer`].
pub struct IpFilterGate {
    pub(super) settings: Settings,
    pub(super) state: ArcSwap<State>,
    pub(super) would_have_refused: AtomicU64,
}

/// What stays when lists are replaced.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) blocks: Option<BlockList>,
    pub(super) on_unknown_blocks: OnUnknownBlocks,
    pub(super) scope: Scope,
    /// Of a client without an address; by default it depends on the lists.
    pub(super) unknown: Option<Unlisted>,
    pub(super) mode: Mode,
    pub(super) builder: IpFilterLayerBuilder,
}

/// What is replaced.
#[derive(Debug)]
pub(super) struct State {
    pub(super) lists: Compiled,
    pub(super) report: Report,
    waivers: Option<Arc<Waivers>>,
}

impl State {
    pub(super) fn new(lists: Compiled, report: Report) -> Self {
        Self { lists, waivers: report.waivers("ip_filter"), report }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    #[default]
    Refuse,
    DryRun,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OnUnknownBlocks {
    #[default]
    Refuse,
    Pass,
}

/// For the log: the client is not told which rule it was.
#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("{0} is on the deny list")]
    Denied(Cidr),
    #[error("the address is not on the allow list")]
    Unlisted,
    #[error("the client has no address")]
    Unknown,
    #[error("{} is blocked until {}: {}", .0.network, .0.until, .0.reason)]
    Blocked(Block),
}

impl IpFilterGate {
    /// By what is known without asking a store.
    fn by_lists(&self, client: ClientIp) -> Result<Option<IpAddr>, Rejection> {
        let state = self.state.load();
        let Some(ip) = client.ip() else {
            let unknown = self.settings.unknown.unwrap_or(state.lists.unlisted);
            return if unknown == Unlisted::Passes { Ok(None) } else { Err(refusal(Why::Unknown)) };
        };
        match state.lists.judge(ip) {
            Judgement { passes: true, .. } => Ok(Some(ip)),
            Judgement { entry, .. } => Err(refusal(entry.map_or(Why::Unlisted, Why::Denied))),
        }
    }

    /// In a dry run the verdict stands in the trail, and so in the audit record.
    fn say(&self, rejection: Rejection, context: &RequestContext) -> Result<(), Rejection> {
        if self.settings.mode == Mode::Refuse {
            return Err(rejection);
        }
        self.would_have_refused.fetch_add(1, Relaxed);
        context.trail().record(TrailName::of("ip_filter.dry_run"), Outcome::Rejected(rejection.kind()));
        tracing::debug!(target: "portcullis", source = ?rejection.source(), "would have been refused by its address");
        Ok(())
    }

    async fn by_blocks_soon(&self, blocks: &BlockList, ip: IpAddr, now: Now) -> Result<(), Rejection> {
        match blocks.known_soon(ip, now).await {
            Ok(None) => Ok(()),
            Ok(Some(block)) => Err(blocked(block, now)),
            Err(_) if self.settings.on_unknown_blocks == OnUnknownBlocks::Pass => Ok(()),
            Err(error) => Err(Rejection::backend(error)),
        }
    }
}

fn refusal(why: Why) -> Rejection {
    Rejection::new(RejectionKind::AddressRefused).with_source(why)
}

fn blocked(block: Block, now: Now) -> Rejection {
    let left = block.until.since(now.wall);
    refusal(Why::Blocked(block)).with_retry_after(left)
}

impl<B: Send + 'static> Gate<B> for IpFilterGate {
    const NAME: &'static str = "ip_filter";
    const PLACE: Place = Place::IpFilter;
    type Pass = ();

    fn enter(self: &Arc<Self>, request: &mut Request<B>, context: &Arc<RequestContext>) -> Entry<B, ()> {
        context.announce(self.state.load().waivers.as_ref());
        if !self.settings.scope.covers(request) {
            return Entry::Pass(());
        }
        let now = context.now();
        let ip = match self.by_lists(context.client_ip()) {
            Ok(ip) => ip,
            Err(rejection) => return self.say(rejection, context).into(),
        };
        let Some((blocks, ip)) = self.settings.blocks.as_ref().zip(ip) else { return Entry::Pass(()) };
        match blocks.known(ip, now) {
            Known::Free => Entry::Pass(()),
            Known::Blocked(block) => self.say(blocked(block, now), context).into(),
            Known::Not => {
                let (gate, blocks, context) = (Arc::clone(self), blocks.clone(), Arc::clone(context));
                Entry::wait(move |request| async move {
                    let judged = gate.by_blocks_soon(&blocks, ip, now).await;
                    Waited::settle(request, judged.or_else(|rejection| gate.say(rejection, &context)))
                })
            }
        }
    }
}

impl fmt::Debug for IpFilterGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IpFilterGate").field("settings", &self.settings).finish_non_exhaustive()
    }
}
