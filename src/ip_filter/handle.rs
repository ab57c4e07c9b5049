use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use super::{
    layer::{IpFilterGate, State},
    lists::{IpLists, Judgement},
};
use crate::{
    config_error::{ConfigError, ConfigIssues},
    lint::Report,
};

/// To operate an [`IpFilterLayer`](super::IpFilterLayer) while it serves. Clones are the same.
#[derive(Clone, Debug)]
pub struct IpFilterHandle {
    gate: Option<Arc<IpFilterGate>>,
}

impl IpFilterHandle {
    pub(super) fn new(gate: Option<Arc<IpFilterGate>>) -> Self {
        Self { gate }
    }

    /// Replaces both lists, from the next request on. Blocks, paths and everything else of the layer
    /// stay, and so do the reasons that were given for what is allowed.
    ///
    /// ```
    /// use portcullis::ip_filter::{IpFilterLayer, IpLists};
    ///
    /// let layer = IpFilterLayer::builder().deny(["198.51.100.0/24"]).build()?;
    /// layer.handle().reload(IpLists::new().deny(["198.51.100.0/24", "203.0.113.7"]))?;
    /// assert!(layer.handle().reload(IpLists::new().deny(["203.0.113.7/24"])).is_err(), "what is wrong replaces nothing");
    /// # Ok::<_, portcullis::config_error::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong with the new lists, as [`build`](super::IpFilterLayerBuilder::build)
    /// finds it. The old lists then go on holding.
    pub fn reload(&self, lists: IpLists) -> Result<Report, ConfigError> {
        let Some(gate) = &self.gate else { return Ok(Report::default()) };
        let mut issues = ConfigIssues::new();
        let builder = gate.settings.builder.clone().lists(lists);
        builder.check_lists(&mut issues);
        let (lists, report) = builder.compiled(&mut issues);
        report.add_to(&mut issues);
        issues.finish(())?;
        gate.state.store(Arc::new(State::new(lists, report.clone())));
        tracing::info!(target: "portcullis", "the lists of addresses are replaced");
        Ok(report)
    }

    /// What the lists say of an address, and by which entry: for whoever wonders why somebody is refused. Blocks
    /// are not asked ([`BlockList::find`](crate::blocks::BlockList::find)), paths and methods not looked at.
    ///
    /// ```
    /// use portcullis::ip_filter::IpFilterLayer;
    ///
    /// let layer = IpFilterLayer::builder().deny(["198.51.100.0/24"]).build()?;
    /// let judged = layer.handle().judge("198.51.100.7".parse()?);
    /// assert!(!judged.passes && judged.entry == Some("198.51.100.0/24".parse()?));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn judge(&self, ip: IpAddr) -> Judgement {
        self.gate.as_ref().map_or(Judgement { passes: true, entry: None }, |gate| gate.state.load().lists.judge(ip))
    }

    /// How many requests a dry run would have refused, since the layer was made.
    pub fn would_have_refused(&self) -> u64 {
        self.gate.as_ref().map_or(0, |gate| gate.would_have_refused.load(Relaxed))
    }
}
