use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::scope::Given;

fn eval(text: &str) -> Result<Value, String> {
    let parameters = [("service".to_owned(), json!("orders")), ("limit".to_owned(), json!(90))].into();
    let given =
        Given::of("done", json!({ "disk": { "used": 97.5, "a/b": 1 }, "logs": ["x", "y"], "b.c d": true }), None);
    let skipped = Given::of("skipped", Value::Null, None);
    let steps = BTreeMap::from([("usage".to_owned(), given), ("second".to_owned(), skipped)]);
    let own = json!({ "healthy": true });
    let scope = Scope { parameters: &parameters, steps: &steps, own: Some(Some(&own)) };
    parse(text).map_err(|wrong| format!("{}: {} ({})", wrong.at, wrong.message, wrong.hint))?.value(&scope)
}

#[test]
fn says_what_it_means() {
    for (text, expected) in [
        ("result.usage/disk/used > limit", json!(true)),
        ("result.usage/disk/used >= 97.5 and not result.usage/disk/used > 100", json!(true)),
        ("result/healthy", json!(true)),
        ("result.usage/logs contains 'x' or false", json!(true)),
        ("result.usage/logs/1 == \"y\"", json!(true)),
        ("result.usage/disk/a~1b == 1.0", json!(true)),
        ("result.usage/'b.c d'", json!(true)),
        ("result.usage/none/at/all == null", json!(true)),
        ("exists(result.usage/none)", json!(false)),
        ("length(result.usage/logs) == 2", json!(true)),
        ("service contains 'der'", json!(true)),
        ("result.usage contains 'disk'", json!(true)),
        ("status.second == 'skipped'", json!(true)),
        ("error.usage == null", json!(true)),
        ("not not true", json!(true)),
        ("true or false and false", json!(true)),
        ("(true or false) and false", json!(false)),
        ("quoted('a\\'b; rm -rf /')", json!("'a'\\''b; rm -rf /'")),
        ("-1 < 0", json!(true)),
        ("result.usage/logs/01 == null", json!(true)),
    ] {
        assert_eq!(eval(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_does_not_fit_is_an_error_and_never_false() {
    let said: Vec<String> = [
        "result.usage/dsk/used > 90",
        "result.usage and true",
        "service > 3",
        "limit contains 3",
        "length(limit)",
        "nothing == 1",
        "result.never == 1",
        "true and",
        "a == = b",
        "a && b",
        "a = b",
        "1 < 2 < 3",
        "result.usage.disk",
        "status == 'x'",
        "lenght(service)",
        "'open",
        "a nd b",
        "",
        "12ab",
        "resutl.usage/x",
    ]
    .iter()
    .map(|text| format!("{text}\n    {}", eval(text).unwrap_err()))
    .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    result.usage/dsk/used > 90
        `null` and `90` have no order
    result.usage and true
        `{"disk":{"used":97.5,"a/b":1},"logs":["x","y"],"b.c d":true}` where true or false is needed
    service > 3
        `"orders"` and `3` have no order
    limit contains 3
        `90` cannot contain `3`
    length(limit)
        `90` has no length
    nothing == 1
        the parameter `nothing` has no value
    result.never == 1
        the step `never` has not been done
    true and
        8: it ends where a value is needed ()
    a == = b
        5: `=` means nothing here (write `==`)
    a && b
        2: `&` means nothing here (write `and`)
    a = b
        2: `=` means nothing here (write `==`)
    1 < 2 < 3
        6: comparisons in a row: join them by `and` ()
    result.usage.disk
        0: `result.usage.disk` refers to nothing (a path into a result is a JSON pointer: `result.STEP/key/0`)
    status == 'x'
        0: `status` of which step? (write `status.STEP`)
    lenght(service)
        0: there is no function `lenght` (did you mean `length`?)
    'open
        0: a text that is not closed ()
    a nd b
        2: more than one expression: an operator is missing (did you mean `and`?)

        0: an empty expression ()
    12ab
        0: `12ab` is no number ()
    resutl.usage/x
        0: `resutl.usage` refers to nothing (did you mean `result`?)
    "#);
}

#[test]
fn depth_and_length_are_bounded() {
    assert!(parse(&"(".repeat(1_000)).is_err());
    assert!(parse(&format!("{}true", "not ".repeat(400))).is_ok());
    assert!(parse(&vec!["true"; 100].join(" and ")).unwrap_err().message.contains("in a row"));
    assert!(parse(&"x".repeat(EXPRESSION_CHARS_MAX + 1)).is_err());
}

proptest! {
    #[test]
    fn never_panics(text in "\\PC{0,80}") {
        let _ = eval(&text);
    }

    #[test]
    fn never_panics_on_what_is_nearly_right(words in prop::collection::vec(prop::sample::select(vec![
        "and", "or", "not", "(", ")", "==", "<", "contains", "result", ".usage", "/disk", "/0", "limit", "service", "1", "'x'", "\"", "length(", "null", ".",
    ]), 0..30)) {
        let _ = eval(&words.join(" "));
        let _ = eval(&words.concat());
    }
}
