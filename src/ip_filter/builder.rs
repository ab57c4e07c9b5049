use std::{borrow::Cow, sync::atomic::AtomicU64};

use arc_swap::ArcSwap;
use http::Method;

use super::{
    IpFilterLayer, IpLists,
    layer::{IpFilterGate, Mode, OnUnknownBlocks, Settings, State},
    lints,
    lists::{Compiled, Unlisted},
    scope::Scope,
};
use crate::{
    blocks::BlockList,
    config_error::{ConfigError, ConfigIssues},
    lint::{Lints, Report},
};

/// Builds an [`IpFilterLayer`]. See the [module](super) for a complete one.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct IpFilterLayerBuilder {
    lists: IpLists,
    blocks: Option<BlockList>,
    on_unknown_blocks: OnUnknownBlocks,
    scope: Scope,
    unknown: Option<Unlisted>,
    mode: Mode,
    allowed: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

impl IpFilterLayerBuilder {
    /// Both lists at once, instead of those that were given before.
    pub fn lists(mut self, lists: IpLists) -> Self {
        self.lists = lists;
        self
    }

    /// Who may come in; see [`IpLists::allow`].
    pub fn allow<I>(mut self, networks: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.lists = self.lists.allow(networks);
        self
    }

    /// Who may not; see [`IpLists::deny`].
    pub fn deny<I>(mut self, networks: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.lists = self.lists.deny(networks);
        self
    }

    /// Lets in who is on neither list; see [`IpLists::pass_unlisted`].
    pub fn pass_unlisted(mut self) -> Self {
        self.lists = self.lists.pass_unlisted();
        self
    }

    /// Keeps out who is blocked for a while. Who is denied is refused as such; who is allowed can be
    /// blocked all the same.
    pub fn blocks(mut self, blocks: &BlockList) -> Self {
        self.blocks = Some(blocks.clone());
        self
    }

    /// Lets everybody in while the blocks have never been loaded because their store does not answer.
    /// Whoever can bring it down before the service starts is then not kept out. Default: 503. (Blocks
    /// that have been loaded once go on holding, whatever becomes of the store.)
    pub fn dangerously_pass_while_blocks_are_unknown(mut self) -> Self {
        self.on_unknown_blocks = OnUnknownBlocks::Pass;
        self
    }

    /// Applies to requests below these paths only: `/admin` stands for itself and for `/admin/users`,
    /// not for `/administrators`. A path that is written in another way (escapes, dots, empty segments)
    /// counts as what it stands for, too. Default: to all.
    pub fn only_paths<I>(mut self, paths: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Box<str>>,
    {
        self.scope.only_paths.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Does not apply below these paths, such as `/health`. Default: none.
    pub fn except_paths<I>(mut self, paths: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Box<str>>,
    {
        self.scope.except_paths.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Applies to these methods only; GET stands for HEAD, too. Default: to all.
    pub fn only_methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.scope.only_methods.extend(methods);
        self
    }

    /// Refuses clients without an address. Default: those are refused if who is on no list is, so if
    /// there is an allow list.
    pub fn refuse_unknown(mut self) -> Self {
        self.unknown = Some(Unlisted::Refused);
        self
    }

    /// Lets clients without an address in, although there is an allow list: whoever reaches the service
    /// on a way that shows none.
    pub fn dangerously_pass_unknown(mut self) -> Self {
        self.unknown = Some(Unlisted::Passes);
        self
    }

    /// Refuses nobody, and counts whom it would have refused
    /// ([`IpFilterHandle::would_have_refused`](super::IpFilterHandle::would_have_refused)); the audit
    /// record has a verdict of `ip_filter.dry_run`.
    pub fn dry_run(mut self) -> Self {
        self.mode = Mode::DryRun;
        self
    }

    /// Allows what would fail [`build`](Self::build), and says why: the reason stands in the
    /// [report](IpFilterLayer::report), and in the audit log.
    pub fn allow_lint(mut self, code: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        self.allowed.push((code.into(), why.into()));
        self
    }

    /// Everything that is doubtful, without building. Lists of which an entry cannot be read are not judged.
    pub fn lint(&self) -> Report {
        self.compiled(&mut ConfigIssues::new()).1
    }

    /// The lists, and what is doubtful.
    pub(super) fn compiled(&self, issues: &mut ConfigIssues) -> (Compiled, Report) {
        let mut unreadable = ConfigIssues::new();
        let compiled = self.lists.compile(&mut unreadable);
        let mut lints =
            self.allowed.iter().fold(Lints::new(), |lints, (code, why)| lints.allow(code.clone(), why.clone()));
        // What is left of lists that cannot be read says nothing about them.
        match unreadable.finish(()) {
            Ok(()) => lints::lists(&mut lints, &compiled),
            Err(error) => issues.merge("", error),
        }
        if self.unknown == Some(Unlisted::Passes) && compiled.unlisted == Unlisted::Refused {
            let message = "who has no address passes an allow list";
            lints.add(&lints::UNKNOWN_PASSES, "dangerously_pass_unknown", message, None);
        }
        if self.mode == Mode::DryRun {
            lints.add(&lints::DRY_RUN, "dry_run", "nobody is refused", None);
        }
        (compiled, lints.report())
    }

    pub(super) fn check_lists(&self, issues: &mut ConfigIssues) {
        if self.lists.is_empty() && self.blocks.is_none() {
            let cure = "call allow(…), deny(…) or blocks(…), or leave the layer out";
            issues.add("allow, deny, blocks", "there is nothing to go by, so the layer does nothing", cure);
        }
    }

    /// The layer.
    ///
    /// # Errors
    /// Every entry that is no network or has host bits set, paths that are not plain, nothing to go by,
    /// and the critical and high findings of [`lint`](Self::lint) that are not allowed.
    pub fn build(self) -> Result<IpFilterLayer, ConfigError> {
        let mut issues = ConfigIssues::new();
        self.check_lists(&mut issues);
        if self.on_unknown_blocks == OnUnknownBlocks::Pass && self.blocks.is_none() {
            let cure = "call blocks(…), or drop dangerously_pass_while_blocks_are_unknown()";
            issues.add("blocks", "there are no blocks that could be unknown", cure);
        }
        self.scope.check(&mut issues);
        let (lists, report) = self.compiled(&mut issues);
        report.add_to(&mut issues);
        issues.finish(())?;
        let settings = Settings {
            blocks: self.blocks.clone(),
            on_unknown_blocks: self.on_unknown_blocks,
            scope: self.scope.clone(),
            unknown: self.unknown,
            mode: self.mode,
            // For lists that replace these: they are judged by the same settings.
            builder: Self { lists: IpLists::new(), ..self },
        };
        Ok(IpFilterLayer::of(IpFilterGate {
            settings,
            state: ArcSwap::from_pointee(State::new(lists, report)),
            would_have_refused: AtomicU64::new(0),
        }))
    }
}
