//! Reads a document once, from beginning to end, without building a tree: of each operation and each
//! fragment it keeps sums, and which fragments are spread where. It does not recurse: a document that is
//! nested deeply enough to exhaust a stack is refused at its depth.

mod values;

use std::{collections::HashMap, ops::Range};

use super::{
    costs::QueryCosts,
    fault::{Fault, Limit},
    lexer::{Lexer, Token},
    variables::Variables,
};

/// How deeply braces and brackets may be nested at least, whatever the limit on depth: inline fragments and
/// lists in lists add no depth, but the parsers behind us recurse into them.
const NESTING: usize = 64;

/// What is summed up. Everything saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) depth: u64,
    pub(super) roots: u64,
    pub(super) aliases: u64,
    pub(super) directives: u64,
    pub(super) cost: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Query,
    Mutation,
    Subscription,
    Fragment,
}

/// An operation or a fragment.
#[derive(Clone, Debug)]
pub(super) struct Definition<'a> {
    pub(super) kind: Kind,
    pub(super) name: Option<&'a str>,
    /// Without what is in the fragments that it spreads.
    pub(super) own: Sums,
    /// Which of the document's spreads are its own.
    pub(super) spreads: Range<usize>,
}

/// A place where a fragment is spread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread<'a> {
    pub(super) name: &'a str,
    /// How many fields there are around it.
    pub(super) level: u64,
    /// The product of their sizes.
    pub(super) factor: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Document<'a> {
    pub(super) definitions: Vec<Definition<'a>>,
    pub(super) spreads: Vec<Spread<'a>>,
    /// Asks for the schema.
    pub(super) introspects: bool,
    /// How many tokens more it might have had.
    pub(super) tokens_left: u64,
}

/// What a document is read with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'r> {
    pub(super) depth: u64,
    pub(super) tokens: u64,
    pub(super) costs: &'r QueryCosts,
    pub(super) variables: &'r Variables,
}

/// Reads a document. A variable's default counts where the variable is not given; where it is used before
/// its definition, the document is read again.
pub(super) fn read<'a>(text: &'a str, reading: Reading<'_>) -> Result<Document<'a>, Fault> {
    let mut parser = Parser::new(text, reading, HashMap::new())?;
    parser.document()?;
    if parser.is_late && !parser.defaults.is_empty() {
        let defaults = parser.defaults;
        parser = Parser::new(text, reading, defaults)?;
        parser.document()?;
    }
    parser.read.tokens_left = parser.lexer.left();
    Ok(parser.read)
}

/// The fields around a selection.
#[derive(Clone, Copy)]
struct Around {
    level: u64,
    factor: u64,
}

struct Parser<'a, 'r> {
    lexer: Lexer<'a>,
    token: Token<'a>,
    reading: Reading<'r>,
    /// What variables are by default: the greatest of all operations.
    defaults: HashMap<&'a str, u64>,
    /// A variable was used of which nothing was known yet.
    is_late: bool,
    /// Within the definition of a variable, where no variable may be used.
    is_constant: bool,
    read: Document<'a>,
    sums: Sums,
}

impl<'a, 'r> Parser<'a, 'r> {
    fn new(text: &'a str, reading: Reading<'r>, defaults: HashMap<&'a str, u64>) -> Result<Self, Fault> {
        let mut lexer = Lexer::new(text, reading.tokens);
        let token = lexer.next()?;
        let (read, sums) = (Document::default(), Sums::default());
        Ok(Self { lexer, token, reading, defaults, is_late: false, is_constant: false, read, sums })
    }

    fn advance(&mut self) -> Result<(), Fault> {
        self.token = self.lexer.next()?;
        Ok(())
    }

    fn is(&self, sign: u8) -> bool {
        self.token == Token::Sign(sign)
    }

    /// Goes past the sign, if it stands here.
    fn eat(&mut self, sign: u8) -> Result<bool, Fault> {
        let is = self.is(sign);
        if is {
            self.advance()?;
        }
        Ok(is)
    }

    fn expect(&mut self, sign: u8) -> Result<(), Fault> {
        if self.eat(sign)? { Ok(()) } else { Err(self.lexer.fault()) }
    }

    fn name(&mut self) -> Result<&'a str, Fault> {
        let Token::Name(name) = self.token else { return Err(self.lexer.fault()) };
        self.advance()?;
        Ok(name)
    }

    /// Braces or brackets, one in the other.
    fn check_nesting(&self, open: usize) -> Result<(), Fault> {
        let most = usize::try_from(self.reading.depth.saturating_mul(2)).unwrap_or(usize::MAX).max(NESTING);
        if open > most { Err(Fault::Exceeded(Limit::Depth)) } else { Ok(()) }
    }

    fn document(&mut self) -> Result<(), Fault> {
        while self.token != Token::End {
            self.definition()?;
        }
        if self.read.definitions.is_empty() { Err(self.lexer.fault()) } else { Ok(()) }
    }

    /// An operation or a fragment; what defines a schema is no request.
    fn definition(&mut self) -> Result<(), Fault> {
        let start = self.read.spreads.len();
        self.sums = Sums::default();
        let (kind, name) = if self.is(b'{') {
            (Kind::Query, None)
        } else {
            self.description()?;
            let kind = match self.token {
                Token::Name("query") => Kind::Query,
                Token::Name("mutation") => Kind::Mutation,
                Token::Name("subscription") => Kind::Subscription,
                Token::Name("fragment") => Kind::Fragment,
                _ => return Err(self.lexer.fault()),
            };
            self.advance()?;
            let name = if kind == Kind::Fragment { Some(self.fragment_head()?) } else { self.operation_head()? };
            self.directives()?;
            (kind, name)
        };
        self.selections()?;
        let spreads = start..self.read.spreads.len();
        self.read.definitions.push(Definition { kind, name, own: self.sums, spreads });
        Ok(())
    }

    /// Since September 2025 everything can have one.
    fn description(&mut self) -> Result<(), Fault> {
        if self.token == Token::Text { self.advance() } else { Ok(()) }
    }

    fn fragment_head(&mut self) -> Result<&'a str, Fault> {
        if self.token == Token::Name("on") {
            return Err(self.lexer.fault());
        }
        let name = self.name()?;
        if self.name()? != "on" {
            return Err(self.lexer.fault());
        }
        self.name()?;
        Ok(name)
    }

    fn operation_head(&mut self) -> Result<Option<&'a str>, Fault> {
        let name = if let Token::Name(_) = self.token { Some(self.name()?) } else { None };
        if self.eat(b'(')? {
            loop {
                self.variable()?;
                if self.eat(b')')? {
                    break;
                }
            }
        }
        Ok(name)
    }

    fn variable(&mut self) -> Result<(), Fault> {
        self.is_constant = true;
        self.description()?;
        self.expect(b'$')?;
        let name = self.name()?;
        self.expect(b':')?;
        self.type_reference()?;
        if self.eat(b'=')?
            && let Some(amount) = self.value()?
        {
            let held = self.defaults.entry(name).or_default();
            *held = amount.max(*held);
        }
        self.directives()?;
        self.is_constant = false;
        Ok(())
    }

    /// `[[Int!]!]`
    fn type_reference(&mut self) -> Result<(), Fault> {
        let mut open = 0_usize;
        while self.eat(b'[')? {
            open = open.saturating_add(1);
            self.check_nesting(open)?;
        }
        self.name()?;
        self.eat(b'!')?;
        for _ in 0..open {
            self.expect(b']')?;
            self.eat(b'!')?;
        }
        Ok(())
    }

    fn directives(&mut self) -> Result<(), Fault> {
        while self.eat(b'@')? {
            self.name()?;
            self.arguments()?;
            self.sums.directives = self.sums.directives.saturating_add(1);
        }
        Ok(())
    }

    /// What the list arguments among them say.
    fn arguments(&mut self) -> Result<Option<u64>, Fault> {
        let mut said = None;
        if self.eat(b'(')? {
            loop {
                let name = self.name()?;
                self.expect(b':')?;
                let amount = self.value()?;
                if self.reading.costs.list_arguments.iter().any(|list| list == name) {
                    said = said.max(amount);
                }
                if self.eat(b')')? {
                    break;
                }
            }
        }
        Ok(said)
    }

    fn selections(&mut self) -> Result<(), Fault> {
        self.expect(b'{')?;
        let mut outer: Vec<Around> = Vec::new();
        let mut around = Around { level: 0, factor: 1 };
        let mut is_empty = true;
        loop {
            let inner = match self.token {
                Token::Sign(b'}') if !is_empty => {
                    self.advance()?;
                    let Some(last) = outer.pop() else { return Ok(()) };
                    around = last;
                    continue;
                }
                Token::Spread => self.spread(around)?,
                Token::Name(_) => self.field(around)?,
                _ => return Err(self.lexer.fault()),
            };
            is_empty = inner.is_some();
            if let Some(inner) = inner {
                outer.push(around);
                self.check_nesting(outer.len())?;
                around = inner;
            }
        }
    }

    /// A spread, or an inline fragment: then what is around its selections.
    fn spread(&mut self, around: Around) -> Result<Option<Around>, Fault> {
        self.advance()?;
        if let Token::Name(name) = self.token
            && name != "on"
        {
            self.advance()?;
            self.directives()?;
            self.read.spreads.push(Spread { name, level: around.level, factor: around.factor });
            return Ok(None);
        }
        if self.token == Token::Name("on") {
            self.advance()?;
            self.name()?;
        }
        self.directives()?;
        self.expect(b'{')?;
        Ok(Some(around))
    }

    /// A field; if it has selections, what is around them.
    fn field(&mut self, around: Around) -> Result<Option<Around>, Fault> {
        let mut name = self.name()?;
        if self.eat(b':')? {
            name = self.name()?;
            self.sums.aliases = self.sums.aliases.saturating_add(1);
        }
        let said = self.arguments()?;
        self.directives()?;
        self.read.introspects |= name == "__schema" || name == "__type";
        let (weight, size) = self.reading.costs.of(name, said);
        let inner = Around { level: around.level.saturating_add(1), factor: around.factor.saturating_mul(size) };
        self.sums.cost = self.sums.cost.saturating_add(weight.saturating_mul(inner.factor));
        self.sums.depth = self.sums.depth.max(inner.level);
        self.sums.roots = self.sums.roots.saturating_add(u64::from(around.level == 0));
        if inner.level > self.reading.depth {
            return Err(Fault::Exceeded(Limit::Depth));
        }
        Ok(if self.eat(b'{')? { Some(inner) } else { None })
    }
}
