//! Values of arguments, as far as they say how much is asked for.

use super::{
    super::{fault::Fault, lexer::Token},
    Parser,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket {
    List,
    Object,
}

impl<'a> Parser<'a, '_> {
    /// A value, and what it says as a list argument: a number, or how many items it has.
    pub(super) fn value(&mut self) -> Result<Option<u64>, Fault> {
        let mut open: Vec<Bracket> = Vec::new();
        let (mut said, mut items) = (None, 0_u64);
        loop {
            match (self.token, open.last().copied()) {
                (Token::Sign(b']'), Some(Bracket::List)) | (Token::Sign(b'}'), Some(Bracket::Object)) => {
                    self.advance()?;
                    let closed = open.pop();
                    if open.is_empty() && closed == Some(Bracket::List) {
                        return Ok(Some(items));
                    }
                }
                (Token::Name(_), Some(Bracket::Object)) => {
                    self.advance()?;
                    self.expect(b':')?;
                    self.single(&mut open)?;
                }
                (_, Some(Bracket::Object)) => return Err(self.lexer.fault()),
                _ => {
                    items = items.saturating_add(u64::from(open.len() == 1));
                    let amount = self.single(&mut open)?;
                    if open.is_empty() {
                        said = amount;
                    }
                }
            }
            if open.is_empty() {
                return Ok(said);
            }
        }
    }

    /// A value without brackets, or the bracket with which one begins.
    fn single(&mut self, open: &mut Vec<Bracket>) -> Result<Option<u64>, Fault> {
        let amount = match self.token {
            // More digits than a number has are more than any limit.
            Token::Int(digits) => Some(digits.parse().unwrap_or(u64::MAX)),
            Token::Float | Token::Text | Token::Name(_) => None,
            Token::Sign(b'$') if !self.is_constant => {
                self.advance()?;
                let Token::Name(name) = self.token else { return Err(self.lexer.fault()) };
                self.variable_amount(name)
            }
            Token::Sign(b'[') => {
                open.push(Bracket::List);
                None
            }
            Token::Sign(b'{') => {
                open.push(Bracket::Object);
                None
            }
            _ => return Err(self.lexer.fault()),
        };
        self.check_nesting(open.len())?;
        self.advance()?;
        Ok(amount)
    }

    /// One that is given as `null` has no default.
    fn variable_amount(&mut self, name: &'a str) -> Option<u64> {
        if let Some(given) = self.reading.variables.get(name) {
            return given;
        }
        let default = self.defaults.get(name).copied();
        self.is_late |= default.is_none();
        default
    }
}
