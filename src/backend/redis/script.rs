//! A script and one run of it.
//!
//! Not the crate's own: in a cluster that one loads a missing script on every node at once, and so fails
//! while any of them is down.

use redis::{Arg, Cmd, ToRedisArgs};

/// A script in Lua.
#[derive(Debug)]
pub(super) struct Script {
    text: String,
    hash: String,
}

impl Script {
    pub(super) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let hash = redis::Script::new(&text).get_hash().to_owned();
        Self { text, hash }
    }

    pub(super) fn prepare_invoke(&self) -> Invocation<'_> {
        self.with(Arguments::default(), Arguments::default())
    }

    /// A run with keys and arguments that were gathered before.
    pub(super) const fn with(&self, keys: Arguments, args: Arguments) -> Invocation<'_> {
        Invocation { script: self, keys, args }
    }

    pub(super) fn key(&self, key: impl ToRedisArgs) -> Invocation<'_> {
        let mut invocation = self.prepare_invoke();
        invocation.key(key);
        invocation
    }
}

/// Some arguments, one after the other in one piece of memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Arguments(Cmd);

impl Arguments {
    pub(super) fn push(&mut self, argument: impl ToRedisArgs) {
        self.0.arg(argument);
    }

    fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.0.args_iter().map(|argument| match argument {
            Arg::Simple(bytes) => bytes,
            // A place for the cursor of a scan, which nobody puts here.
            _ => &[],
        })
    }

    /// Their bytes, all together.
    fn size(&self) -> usize {
        self.iter().fold(0, |sum, argument| sum.saturating_add(argument.len()))
    }
}

/// A run of a script: the keys that it touches, and what else it is told.
#[derive(Clone, Debug)]
pub(super) struct Invocation<'a> {
    script: &'a Script,
    keys: Arguments,
    args: Arguments,
}

impl Invocation<'_> {
    pub(super) fn key(&mut self, key: impl ToRedisArgs) -> &mut Self {
        self.keys.push(key);
        self
    }

    pub(super) fn arg(&mut self, arg: impl ToRedisArgs) -> &mut Self {
        self.args.push(arg);
        self
    }

    /// For a server that knows the script.
    pub(super) fn by_hash(&self) -> Cmd {
        self.command("EVALSHA", &self.script.hash)
    }

    /// For one that does not, and will from then on.
    pub(super) fn by_text(&self) -> Cmd {
        self.command("EVAL", &self.script.text)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        // The name, the script, and the number of keys.
        const MORE: usize = 3;
        let (keys, args) = (self.keys.iter(), self.args.iter());
        let arguments = keys.len().saturating_add(args.len()).saturating_add(MORE);
        let size = self.keys.size().saturating_add(self.args.size()).saturating_add(script.len());
        let mut command = Cmd::with_capacity(arguments, size.saturating_add(32));
        command.arg(name).arg(script).arg(keys.len());
        for argument in keys.chain(args) {
            command.arg(argument);
        }
        command
    }
}
