//! What documents come to.

use super::*;

#[test]
fn fields_are_summed_up() {
    for (query, wanted) in [
        ("{ a }", [1, 1, 0, 0, 1]),
        ("{ a b c }", [1, 3, 0, 0, 3]),
        ("query Q { a { b { c } } }", [3, 1, 0, 0, 3]),
        ("mutation { x: a y: a z: a }", [1, 3, 3, 0, 3]),
        ("query Q($v: [Int!]! = 1 @d) @d { a @include(if: true) @skip(if: $v) ... @d { b } }", [1, 2, 0, 5, 2]),
        ("{ a { ... on T { ... { b } } } }", [2, 1, 0, 0, 2]),
        ("{ a(x: {y: [1, [2, {z: $v}]], w: \"}\", e: ENUM, n: null}) }", [1, 1, 0, 0, 1]),
        ("\"\"\"A query.\"\"\" query Q(\"a variable\" $v: Int) { a }", [1, 1, 0, 0, 1]),
        ("query query { query: mutation { fragment on subscription } }", [2, 1, 1, 0, 4]),
    ] {
        assert_eq!(sums(query), [wanted], "{query}");
    }
}

#[test]
fn fragments_count_wherever_they_are_spread() {
    for (query, wanted) in [
        ("{ ...F } fragment F on T { a { b } }", [2, 1, 0, 0, 2]),
        ("fragment F on T { a { b } } { x { y { ...F } } }", [4, 1, 0, 0, 4]),
        ("{ a { ...F } b { ...F } } fragment F on T { x: c @d }", [2, 2, 2, 2, 4]),
        ("{ ...F ...G } fragment F on T { ...G } fragment G on T { a b }", [1, 4, 0, 0, 4]),
        ("{ a ...F } fragment F on T @d { b { ...G } } fragment G on T { c { d } }", [3, 2, 0, 1, 4]),
        ("{ ... on T { ...F } } fragment F on T { a }", [1, 1, 0, 0, 1]),
    ] {
        assert_eq!(sums(query), [wanted], "{query}");
    }
    // Each operation for itself.
    assert_eq!(sums("query A { a } query B { ...F } fragment F on T { b { c } }"), [[1, 1, 0, 0, 1], [2, 1, 0, 0, 2]]);
}

#[test]
fn fragments_that_mean_nothing_are_refused() {
    for query in [
        "{ ...F }",
        "{ ...F } fragment F on T { ...F }",
        "{ ...F } fragment F on T { a { ...G } } fragment G on T { ...F }",
        // Nobody spreads them, and whoever validates the document would go round in circles.
        "{ a } fragment F on T { ...G } fragment G on T { ...F }",
        "{ ...F } fragment F on T { a } fragment F on T { a { b } }",
        "fragment F on T { a }",
    ] {
        assert!(matches!(judged(&open(), query), Err(Fault::Invalid(_))), "{query}");
    }
}

/// Every fragment spreads the next one twice: 2^3000 fields, in 30 kB.
#[test]
fn a_document_that_is_exponential_is_judged_in_linear_time() {
    let mut query = String::from("{ ...F0 }");
    for number in 0..3_000 {
        let next = number + 1;
        query = query
            + " fragment F"
            + &number.to_string()
            + " on T { ...F"
            + &next.to_string()
            + " ...F"
            + &next.to_string()
            + " }";
    }
    query += " fragment F3000 on T { x: a @d }";
    assert_eq!(sums(&query), [[1, u64::MAX, u64::MAX, u64::MAX, u64::MAX]]);
    for limit in [Limit::RootFields, Limit::Aliases, Limit::Directives, Limit::Cost] {
        let judge = with(|limits| match limit {
            Limit::RootFields => limits.root_fields = 1_000_000,
            Limit::Aliases => limits.aliases = 1_000_000,
            Limit::Directives => limits.directives = 1_000_000,
            _ => limits.cost = 1_000_000,
        });
        assert_eq!(judged(&judge, &query), Err(Fault::Exceeded(limit)));
    }
    // The same as a circle, which has no end.
    let circle = query.replace("F3000 on T { x", "F3000 on T { ...F0 x");
    assert!(matches!(judged(&open(), &circle), Err(Fault::Invalid(_))));
}

/// Deep enough to exhaust the stack of a parser that recurses; in a thread with a small one.
#[test]
fn no_nesting_exhausts_the_stack() {
    let judge = std::thread::Builder::new().stack_size(128 * 1024).spawn(|| {
        let deep = 200_000;
        for (open, close) in [("{a", "}"), ("{...{a", "}}"), ("{...on T{a", "}}"), ("{a@d(x:{y:", "})}")] {
            let query = format!("{}{}", open.repeat(deep), close.repeat(deep));
            assert!(judged(&super::open(), &query).is_err(), "{open}");
        }
        for (open, close) in [("[", "]"), ("{x:", "}")] {
            let value = format!("{}1{}", open.repeat(deep), close.repeat(deep));
            assert_eq!(judged(&super::open(), &format!("{{ a(x: {value}) }}")), Err(Fault::Exceeded(Limit::Depth)));
        }
        let list = format!("query($v: {}T{}) {{ a }}", "[".repeat(deep), "]".repeat(deep));
        assert_eq!(judged(&super::open(), &list), Err(Fault::Exceeded(Limit::Depth)));
        // A chain of fragments as long as it likes adds what it adds.
        let links: Vec<String> =
            (0..deep / 10).map(|n| format!("fragment F{n} on T {{ a {{ ...F{} }} }} ", n + 1)).collect();
        let chain = links.concat();
        let chain = format!("{{ ...F0 }} {chain} fragment F{} on T {{ a }}", deep / 10);
        assert_eq!(judged(&super::open(), &chain), Err(Fault::Exceeded(Limit::Depth)));
    });
    judge.unwrap().join().unwrap();
}

#[test]
fn every_limit_holds_at_its_border() {
    for (limit, at, over) in [
        (Limit::Depth, "{ a { b { c } } }", "{ a { b { c { d } } } }"),
        (
            Limit::Depth,
            "{ a { ...F } } fragment F on T { b { c } }",
            "{ a { ...F } } fragment F on T { b { c { d } } }",
        ),
        (Limit::Aliases, "{ x: a y: a z: a }", "{ x: a y: a z: a w: a }"),
        (Limit::RootFields, "{ a b c { d e f } }", "{ a b ...F } fragment F on T { c d }"),
        (Limit::Directives, "{ a @x @y @z }", "{ a @x @y @z @w }"),
        (Limit::Tokens, "{a}", "{a b}"),
        (Limit::Cost, "{ a { b c } }", "{ a { b c d } }"),
        (Limit::Cost, "{ a(first: 3) }", "{ a(first: 4) }"),
    ] {
        let judge = with(|limits| match limit {
            Limit::Depth => limits.depth = 3,
            Limit::Aliases => limits.aliases = 3,
            Limit::RootFields => limits.root_fields = 3,
            Limit::Directives => limits.directives = 3,
            Limit::Tokens => limits.tokens = 3,
            _ => limits.cost = 3,
        });
        assert!(judged(&judge, at).is_ok(), "{at}");
        assert_eq!(judged(&judge, over), Err(Fault::Exceeded(limit)), "{over}");
    }
}

#[test]
fn a_batch_is_no_way_around_the_limits() {
    let judge = with(|limits| (limits.aliases, limits.root_fields, limits.cost, limits.tokens) = (4, 4, 4, 12));
    let batch = |query: &str, times| judge.judge(&vec![asked(query, &json!({})); times], Method::Unsafe);
    assert_eq!(batch("{ x: a }", 2), Ok(2));
    assert_eq!(batch("{ x: a y: a }", 3), Err(Fault::Exceeded(Limit::Tokens)));
    let judge = with(|limits| limits.aliases = 4);
    let batch = |query: &str, times| judge.judge(&vec![asked(query, &json!({})); times], Method::Unsafe);
    assert_eq!(batch("{ x: a }", 4), Ok(4));
    assert_eq!(batch("{ x: a }", 5), Err(Fault::Exceeded(Limit::Aliases)));
    let judge = with(|limits| limits.cost = 5);
    let batch = |query: &str, times| judge.judge(&vec![asked(query, &json!({})); times], Method::Unsafe);
    assert_eq!(batch("{ a b }", 2), Ok(4));
    assert_eq!(batch("{ a b }", 3), Err(Fault::Exceeded(Limit::Cost)));
}

/// The cost of a query with these costs and variables.
fn cost(costs: QueryCosts, query: &str, variables: &Value) -> u64 {
    let judge = Judge { costs, ..open() };
    judge.judge(&[asked(query, variables)], Method::Unsafe).unwrap()
}

#[test]
fn lists_multiply() {
    let costs = || QueryCosts::new().list_arguments(["first", "last", "ids"]);
    for (query, variables, wanted) in [
        ("{ users(first: 100) { id } }", json!({}), 200),
        ("{ users(first: 10) { posts(last: 5) { id } } }", json!({}), 10 + 50 + 50),
        ("{ users(first: 10) { ...F } } fragment F on U { posts(last: 5) { id } }", json!({}), 10 + 50 + 50),
        ("{ a(first: 2, last: 3) }", json!({}), 3),
        ("{ a(ids: [1, 2, [3, 4], {x: [5]}]) { id } }", json!({}), 8),
        ("{ a(ids: []) }", json!({}), 1),
        ("{ a(first: 0) a(first: -5) a(first: \"9\") a(first: 2.5) a(first: null) a(skip: 9) }", json!({}), 6),
        ("{ a(first: 99999999999999999999) }", json!({}), u64::MAX),
        ("query($n: Int) { a(first: $n) }", json!({ "n": 7 }), 7),
        ("query($n: Int) { a(first: $n) }", json!({ "n": 1e3 }), 1_000),
        ("query($n: [Int]) { a(ids: $n) }", json!({ "n": [1, 2, 3] }), 3),
        ("query($n: Int) { a(first: $n) }", json!({ "n": null }), 1),
        ("query($n: Int) { a(first: $n) }", json!({}), 1),
        // What is not given is its default; what is given as null is not.
        ("query($n: Int = 5) { a(first: $n) }", json!({}), 5),
        ("query($n: Int = 5) { a(first: $n) }", json!({ "n": 2 }), 2),
        ("query($n: Int = 5) { a(first: $n) }", json!({ "n": null }), 1),
        // Used before it is defined.
        ("fragment F on T { a(first: $n) } query($n: Int = 5) { ...F }", json!({}), 5),
        ("fragment F on T { a(first: $n) } query A($n: Int = 5) { ...F } query B($n: Int = 9) { ...F }", json!({}), 9),
    ] {
        assert_eq!(cost(costs(), query, &variables), wanted, "{query} {variables}");
    }
}

#[test]
fn fields_have_weights_and_sizes() {
    let costs = || QueryCosts::new().weight("search", 20).weight("__typename", 0).list("countries", 200);
    let none = json!({});
    assert_eq!(cost(costs(), "{ search(first: 2) { id __typename } }", &none), 42);
    assert_eq!(cost(costs(), "{ countries { name } }", &none), 400);
    assert_eq!(cost(costs(), "{ countries(first: 3) { name } }", &none), 6);
    assert_eq!(cost(costs(), "{ c: countries }", &none), 200);
    // Nothing is free.
    assert_eq!(cost(costs(), "{ __typename }", &none), 1);
}

#[test]
fn the_operation_that_is_executed_is_paid_for() {
    let query = "query A { a } query B { a b c }";
    let named = |name: Option<&str>| {
        let asked = Asked { operation: name.map(Into::into), ..asked(query, &json!({})) };
        open().judge(&[asked], Method::Unsafe).unwrap()
    };
    assert_eq!((named(Some("A")), named(Some("B"))), (1, 3));
    assert_eq!((named(None), named(Some("C"))), (3, 3));
    // All of them must keep the limits.
    assert_eq!(judged(&with(|limits| limits.cost = 2), query), Err(Fault::Exceeded(Limit::Cost)));
}

#[test]
fn a_safe_method_changes_nothing() {
    let by = |query: &str, name: Option<&str>| {
        let asked = Asked { operation: name.map(Into::into), ..asked(query, &json!({})) };
        open().judge(&[asked], Method::Safe)
    };
    assert_eq!(by("{ a }", None), Ok(1));
    assert_eq!(by("mutation { a }", None), Err(Fault::UnsafeMethod));
    assert_eq!(by("query A { a } mutation B { a }", Some("A")), Ok(1));
    assert_eq!(by("query A { a } mutation B { a }", Some("B")), Err(Fault::UnsafeMethod));
    assert_eq!(by("query A { a } mutation B { a }", None), Err(Fault::UnsafeMethod));
    assert_eq!(by("query A { a } mutation A { a }", Some("A")), Err(Fault::UnsafeMethod));
}

#[test]
fn the_schema_is_shown_to_nobody_unless_it_is_allowed() {
    let closed = Judge { introspection: false, ..open() };
    for query in [
        "{ __schema { types { name } } }",
        "{ x: __type(name: \"User\") { name } }",
        "{ a { ...F } } fragment F on T { ... { __schema } }",
        "query A { a } query B { __schema }",
        "{ a } fragment F on Q { __schema }",
    ] {
        assert_eq!(judged(&closed, query), Err(Fault::Invalid("Introspection is switched off.")), "{query}");
        assert!(judged(&open(), query).is_ok(), "{query}");
    }
    for query in ["{ __typename }", "{ a(x: \"__schema\") { __typename } } # __schema", "{ __schema: a }"] {
        assert!(judged(&closed, query).is_ok(), "{query}");
    }
}

#[test]
fn what_is_no_document_is_refused() {
    for query in [
        "",
        " ",
        "#",
        "{",
        "}",
        "{}",
        "{ a",
        "{ a }}",
        "{ a {} }",
        "a",
        "query",
        "query Q",
        "{ a: }",
        "{ a() }",
        "{ a(x) }",
        "{ a(x:) }",
        "{ a(x: 1 }",
        "{ a(x: [1) }",
        "{ a(x: {1}) }",
        "{ a(x: {y: 1]) }",
        "{ a(: 1) }",
        "{ a @ }",
        "{ ... }",
        "{ ...on }",
        "{ ...F(x: 1) }",
        "{ a ... on { b } }",
        "query() { a }",
        "query($a) { a }",
        "query($a: ) { a }",
        "query($a: [T) { a }",
        "query($a: T = $b) { a }",
        "query($a: T @d(x: $b)) { a }",
        "query($a: T = [$b]) { a }",
        "query(a: T) { a }",
        "query $a { a }",
        "fragment on on T { a }",
        "fragment F { a }",
        "fragment F on { a }",
        "{ a } { b",
        "type T { a: Int }",
        "schema { query: Q }",
        "extend type T { a: Int }",
        "\"a\" { b }",
        "subscription",
        "{ $a }",
        "{ 1 }",
        "{ \"a\" }",
        "{ a | b }",
        "{ a & b }",
        "{ a:b:c }",
        "{ .. a }",
    ] {
        assert!(matches!(judged(&open(), query), Err(Fault::Syntax { .. })), "{query}: {:?}", judged(&open(), query));
    }
    assert_eq!(judged(&open(), "{ a ? }"), Err(Fault::Syntax { at: 4 }));
}

#[test]
fn a_document_that_is_not_there_is_refused_unless_the_server_has_it() {
    let nameless = Asked::default();
    assert!(matches!(open().judge(std::slice::from_ref(&nameless), Method::Unsafe), Err(Fault::Malformed(_))));
    let judge = Judge { persisted: true, ..open() };
    assert_eq!(judge.judge(&[nameless], Method::Unsafe), Ok(1));
}
