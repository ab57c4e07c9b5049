//! Which of many endpoints a request is one of, in a time that does not grow with their number.

use std::collections::HashMap;

use http::Method;

use super::endpoint::{Endpoint, is_parameter};

/// A tree of path segments. What stands at its nodes holds for the endpoints whose templates lead
/// there.
#[derive(Debug)]
pub(super) struct Places<T> {
    nodes: Vec<Node<T>>,
}

#[derive(Debug)]
struct Node<T> {
    literal: HashMap<Box<str>, usize>,
    parameter: Option<usize>,
    /// Of the templates that end here.
    ends: Vec<(Method, T)>,
    /// Of those that end here with a catch-all.
    rests: Vec<(Method, T)>,
}

impl<T> Node<T> {
    fn new() -> Self {
        Self { literal: HashMap::new(), parameter: None, ends: Vec::new(), rests: Vec::new() }
    }
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) method: &'a Method,
    pub(super) route: Option<&'a str>,
    pub(super) path: &'a str,
}

/// How the segments of what is looked for are read.
#[derive(Clone, Copy)]
enum Reading {
    /// As a route: a parameter meets a parameter, whatever their names.
    Route,
    /// As a path: a parameter meets every segment.
    Path,
    /// As a path that no parameter meets.
    Literal,
}

impl<T> Places<T> {
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::new()] }
    }

    pub(super) fn insert(&mut self, endpoint: &Endpoint, value: T) {
        let mut at = 0;
        let item = (endpoint.method.clone(), value);
        for segment in segments(&endpoint.path) {
            if segment.starts_with("{*") {
                if let Some(node) = self.nodes.get_mut(at) {
                    node.rests.push(item);
                }
                return;
            }
            at = self.child(at, segment);
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.ends.push(item);
        }
    }

    fn child(&mut self, at: usize, segment: &str) -> usize {
        let next = self.nodes.len();
        let Some(node) = self.nodes.get_mut(at) else { return at };
        let child = if is_parameter(segment) {
            *node.parameter.get_or_insert(next)
        } else if let Some(child) = node.literal.get(segment) {
            *child
        } else {
            node.literal.insert(segment.into(), next);
            next
        };
        if child == next {
            self.nodes.push(Node::new());
        }
        child
    }

    /// Whether there is nothing to be found.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.nodes.as_slice(), [root] if root.ends.is_empty() && root.rests.is_empty())
    }

    /// Everything that holds for a request.
    ///
    /// Where the router has matched a route, the route decides: parameters may have other names.
    /// Where it has not (the layer stands outside the router, or the route is a catch-all), the path
    /// decides, so that a rule never fails to apply because of where its layer stands.
    pub(super) fn visit<'a>(&'a self, target: Target<'_>, found: &mut impl FnMut(&'a T)) {
        if self.is_empty() {
            return;
        }
        // axum answers HEAD with the handler of GET: the limit of one is that of both.
        let also = if *target.method == Method::HEAD { &Method::GET } else { target.method };
        let mut found = |(method, value): &'a (Method, T)| {
            if method == target.method || method == also {
                found(value);
            }
        };
        match target.route {
            Some(route) if !route.contains("{*") => {
                self.walk(0, segments(route), Reading::Route, &mut found);
                if route != target.path {
                    self.walk(0, segments(target.path), Reading::Literal, &mut found);
                }
            }
            _ => self.walk(0, segments(target.path), Reading::Path, &mut found),
        }
    }

    fn walk<'a, 's>(
        &'a self,
        mut at: usize,
        mut rest: impl Iterator<Item = &'s str> + Clone,
        reading: Reading,
        found: &mut impl FnMut(&'a (Method, T)),
    ) {
        loop {
            let Some(node) = self.nodes.get(at) else { return };
            let Some(segment) = rest.next() else {
                node.ends.iter().for_each(found);
                return;
            };
            if !segment.is_empty() && !matches!(reading, Reading::Literal) {
                node.rests.iter().for_each(&mut *found);
            }
            let literal = || node.literal.get(segment).copied();
            let next = match reading {
                Reading::Route if is_parameter(segment) => node.parameter,
                Reading::Route | Reading::Literal => literal(),
                Reading::Path => match (literal(), node.parameter) {
                    (Some(literal), Some(parameter)) => {
                        // As deep as the templates are: a longer path finds no child.
                        self.walk_boxed(literal, rest.clone(), found);
                        Some(parameter)
                    }
                    (one, other) => one.or(other),
                },
            };
            let Some(next) = next else { return };
            at = next;
        }
    }

    /// A recursion that does not make a type of itself.
    fn walk_boxed<'a, 's>(
        &'a self,
        at: usize,
        rest: impl Iterator<Item = &'s str> + Clone,
        found: &mut impl FnMut(&'a (Method, T)),
    ) {
        let mut found: &mut dyn FnMut(&'a (Method, T)) = found;
        self.walk(at, rest, Reading::Path, &mut found);
    }

    /// Everything that could hold for a request for which `endpoint` holds.
    pub(super) fn overlapping<'a>(&'a self, endpoint: &Endpoint, found: &mut impl FnMut(&'a T)) {
        let head = |method: &Method| *method == Method::GET || *method == Method::HEAD;
        let mut found = |(method, value): &'a (Method, T)| {
            if *method == endpoint.method || (head(method) && head(&endpoint.method)) {
                found(value);
            }
        };
        let path: Vec<&str> = segments(&endpoint.path).collect();
        let mut open = vec![(0, path.as_slice())];
        while let Some((at, rest)) = open.pop() {
            let Some(node) = self.nodes.get(at) else { continue };
            let Some((segment, rest)) = rest.split_first() else {
                node.ends.iter().for_each(&mut found);
                continue;
            };
            if segment.starts_with("{*") {
                self.below(at, &mut found);
                continue;
            }
            if !segment.is_empty() {
                node.rests.iter().for_each(&mut found);
            }
            if is_parameter(segment) {
                open.extend(node.literal.values().map(|child| (*child, rest)));
            } else {
                open.extend(node.literal.get(*segment).map(|child| (*child, rest)));
            }
            open.extend(node.parameter.map(|child| (child, rest)));
        }
    }

    fn below<'a>(&'a self, at: usize, found: &mut impl FnMut(&'a (Method, T))) {
        let mut open = vec![at];
        while let Some(index) = open.pop() {
            let Some(node) = self.nodes.get(index) else { continue };
            if index != at {
                node.ends.iter().for_each(&mut *found);
            }
            node.rests.iter().for_each(&mut *found);
            // What a catch-all stands for does not begin with nothing.
            let literal = node.literal.iter().filter(|(segment, _)| index != at || !segment.is_empty());
            open.extend(literal.map(|(_, child)| child).chain(&node.parameter).copied());
        }
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> + Clone {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(templates: &[String], method: &Method, route: Option<&str>, path: &str) -> Vec<usize> {
        let mut places = Places::new();
        for (index, template) in templates.iter().enumerate() {
            places.insert(&Endpoint::new(Method::GET, template), index);
        }
        let mut found = Vec::new();
        places.visit(Target { method, route, path }, &mut |index| found.push(*index));
        found.sort_unstable();
        found
    }

    proptest! {
        /// Endpoint by endpoint, which is slow and simple.
        #[test]
        fn the_tree_finds_what_one_by_one_finds(
            templates in prop::collection::vec("(/(a|b|\\{x\\}|\\{y\\})){1,3}(/\\{\\*r\\})?|/|/\\{\\*r\\}", 1..12),
            route in prop::option::of("(/(a|b|\\{x\\})){1,4}|/|/a/\\{\\*r\\}"),
            path in "(/(a|b|c|)){1,4}",
            head in any::<bool>(),
        ) {
            let method = if head { Method::HEAD } else { Method::GET };
            let slowly: Vec<usize> = (0..templates.len())
                .filter(|index| Endpoint::new(Method::GET, &templates[*index]).covers(&method, route.as_deref(), &path))
                .collect();
            prop_assert_eq!(found(&templates, &method, route.as_deref(), &path), slowly);
        }

        #[test]
        fn overlaps_are_found_as_one_by_one(
            templates in prop::collection::vec("(/(a|b|\\{x\\})){1,3}(/\\{\\*r\\})?|/|/\\{\\*r\\}", 1..12),
            place in "(/(a|b|\\{x\\})){1,3}(/\\{\\*r\\})?|/|/\\{\\*r\\}",
        ) {
            let place = Endpoint::new(Method::GET, &place);
            let mut places = Places::new();
            for (index, template) in templates.iter().enumerate() {
                places.insert(&Endpoint::new(Method::GET, template), index);
            }
            let mut found = Vec::new();
            places.overlapping(&place, &mut |index| found.push(*index));
            found.sort_unstable();
            let slowly: Vec<usize> = (0..templates.len())
                .filter(|index| Endpoint::new(Method::GET, &templates[*index]).overlaps(&place))
                .collect();
            prop_assert_eq!(found, slowly);
        }
    }

    #[test]
    fn a_path_written_like_a_template_is_a_path() {
        let templates = ["/users/me".to_owned(), "/{*rest}".to_owned()];
        assert_eq!(found(&templates, &Method::GET, None, "/{*x}"), [1]);
        assert_eq!(found(&templates, &Method::POST, None, "/users/me"), Vec::<usize>::new());
    }
}
