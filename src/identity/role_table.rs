//! What roles stand for, with all that they inherit resolved. Pure.

use std::collections::{BTreeSet, HashMap};

use super::{Principal, Scopes};

/// One role: the scopes and the roles that come with it, its own among them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Role {
    pub(crate) scopes: Scopes,
    /// Sorted.
    pub(crate) includes: Box<[Box<str>]>,
}

/// Every role of a map.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoleTable {
    roles: HashMap<Box<str>, Role>,
}

/// One role as it is written down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    pub(crate) scopes: Scopes,
    pub(crate) parents: Vec<Box<str>>,
}

/// Roles that inherit each other: `a`, `b`, `a`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cycle(pub(crate) Vec<Box<str>>);

impl RoleTable {
    /// Resolves who inherits what. Unknown parents count as roles without scopes: the builder has
    /// reported them.
    pub(crate) fn resolve(written: &HashMap<Box<str>, Written>) -> Result<Self, Vec<Cycle>> {
        let mut cycles: Vec<Cycle> = Vec::new();
        let mut done = HashMap::with_capacity(written.len());
        let mut names: Vec<&Box<str>> = written.keys().collect();
        // So that the same mistake is always told in the same words.
        names.sort_unstable();
        for name in names {
            let mut resolving = Resolving { written, role: Role::default(), seen: BTreeSet::new(), path: Vec::new() };
            match resolving.visit(name) {
                Ok(()) => {
                    let includes = resolving.seen.into_iter().map(Box::from).collect();
                    done.insert(name.clone(), Role { includes, ..resolving.role });
                }
                // Each member of a cycle finds it again, and so does who inherits one.
                Err(cycle) => {
                    if !cycles.iter().any(|known| cycle.0.iter().any(|name| known.0.contains(name))) {
                        cycles.push(cycle);
                    }
                }
            }
        }
        if cycles.is_empty() { Ok(Self { roles: done }) } else { Err(cycles) }
    }

    pub(crate) fn get(&self, role: &str) -> Option<&Role> {
        self.roles.get(role)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.roles.keys().map(|name| &**name)
    }

    /// Whether one of the caller's roles stands for the scope. Asks the scopes of each where they
    /// lie: merging them would cost an allocation a request.
    pub(crate) fn may(&self, principal: &Principal, scope: &str) -> bool {
        principal.roles().filter_map(|role| self.get(role)).any(|role| role.scopes.satisfies(scope))
    }

    /// Whether the caller has the role, or one that inherits it.
    pub(crate) fn has(&self, principal: &Principal, wanted: &str) -> bool {
        principal.roles().any(|held| {
            held == wanted
                || self
                    .get(held)
                    .is_some_and(|role| role.includes.binary_search_by(|included| (**included).cmp(wanted)).is_ok())
        })
    }
}

/// A walk from one role to all that it inherits.
struct Resolving<'a> {
    written: &'a HashMap<Box<str>, Written>,
    role: Role,
    seen: BTreeSet<&'a str>,
    /// From the first role to the one that is looked at.
    path: Vec<&'a str>,
}

impl<'a> Resolving<'a> {
    /// Depth first with a stack of its own: how deep roles inherit is not ours to say.
    fn visit(&mut self, first: &'a str) -> Result<(), Cycle> {
        let mut stack = vec![Step::Enter(first)];
        while let Some(step) = stack.pop() {
            let Step::Enter(name) = step else {
                self.path.pop();
                continue;
            };
            if let Some(start) = self.path.iter().position(|on_path| *on_path == name) {
                let cycle = self.path.iter().skip(start).chain([&name]);
                return Err(Cycle(cycle.map(|name| Box::from(*name)).collect()));
            }
            // Two parents may share theirs.
            if !self.seen.insert(name) {
                continue;
            }
            let Some(written) = self.written.get(name) else { continue };
            self.role.scopes = self.role.scopes.union(&written.scopes);
            self.path.push(name);
            stack.push(Step::Leave);
            stack.extend(written.parents.iter().rev().map(|parent| Step::Enter(parent)));
        }
        Ok(())
    }
}

enum Step<'a> {
    Enter(&'a str),
    Leave,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, &str, &[&str])]) -> Result<RoleTable, Vec<Cycle>> {
        let written = rows.iter().map(|(name, scope, parents)| {
            let scopes = Scopes::from_own_data([*scope]).unwrap();
            ((*name).into(), Written { scopes, parents: parents.iter().map(|parent| (*parent).into()).collect() })
        });
        RoleTable::resolve(&written.collect())
    }

    #[test]
    fn a_role_has_what_its_parents_parents_have() {
        let table = table(&[
            ("admin", "admin:x", &["lead", "clerk"]),
            ("lead", "approve:x", &["clerk"]),
            ("clerk", "read:x", &[]),
            ("guest", "see:x", &[]),
        ])
        .unwrap();
        let admin = table.get("admin").unwrap();
        assert!(["admin:x", "approve:x", "read:x"].iter().all(|scope| admin.scopes.satisfies(scope)));
        assert!(!admin.scopes.satisfies("see:x"));
        assert_eq!(admin.includes.iter().map(|name| &**name).collect::<Vec<_>>(), ["admin", "clerk", "lead"]);
        assert!(!table.get("clerk").unwrap().scopes.satisfies("approve:x"), "nothing flows downwards");
    }

    #[test]
    fn a_cycle_is_told_once_and_in_order() {
        let cycles = table(&[
            ("a", "read:a", &["b"]),
            ("b", "read:b", &["c"]),
            ("c", "read:c", &["a"]),
            ("self", "read:s", &["self"]),
            ("outside", "read:o", &["a"]),
        ])
        .unwrap_err();
        let told: Vec<String> = cycles.iter().map(|cycle| cycle.0.join(" ")).collect();
        assert_eq!(told, ["a b c a", "self self"]);
    }

    #[test]
    fn depth_is_no_stack_overflow() {
        let names: Vec<String> = (0..20_000).map(|depth| format!("role{depth}")).collect();
        let written = names.iter().enumerate().map(|(depth, name)| {
            // Only the first walks the whole chain.
            let parents = names.get(depth + 1).filter(|_| depth > 19_000 || depth == 0);
            (
                name.as_str().into(),
                Written { scopes: Scopes::none(), parents: parents.map(|p| p.as_str().into()).into_iter().collect() },
            )
        });
        assert!(RoleTable::resolve(&written.collect()).is_ok());
    }
}
