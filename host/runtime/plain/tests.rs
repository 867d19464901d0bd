//! Values to JSON and back, for every type there is.

use std::sync::OnceLock;

use jsonschema::validator_for;
use proptest::prelude::*;
use serde_json::{Value, json};
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Type, Val};

use super::read::{VALUES_MAX, arguments, value};
use super::write::{TooLarge, json, told};
use crate::capability::bindings::pi::tool::types::{Content, Error};
use crate::plugin::Binary;
use crate::plugin::reflect::made::{IMPORT, Made, Primitive, component, importing};
use crate::runtime::Runtime;

const BYTE: Made = Made::Primitive(Primitive::U8);

/// The engine of the host itself: what it does not compile cannot be called.
fn engine() -> &'static Engine {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    &RUNTIME.get_or_init(|| Runtime::with_instances(None, 1).unwrap()).engine
}

/// The type as the engine gives it, and its schema as the component is looked at.
fn types_of(made: &Made) -> (Type, Value) {
    let functions = [("f", vec![("x", made.clone())], None)];
    let manifest = Binary::read_named(&component("a:b/tools", &functions), "made").unwrap().manifest;
    let compiled = Component::from_binary(engine(), &importing(&functions).finish()).unwrap();
    let component = compiled.component_type();
    let ComponentItem::ComponentInstance(instance) = component.get_import(engine(), IMPORT).unwrap().ty else {
        panic!("no instance")
    };
    let ComponentItem::ComponentFunc(function) = instance.get_export(engine(), "f").unwrap().ty else {
        panic!("no function")
    };
    let (_, ty) = function.params().next().unwrap();
    (ty, manifest.tools[0].input_schema.clone())
}

fn type_of(made: &Made) -> Type {
    types_of(made).0
}

/// A type and a value of it.
fn typed() -> impl Strategy<Value = (Made, Val)> {
    made().prop_flat_map(|made| {
        let values = values_of(&made);
        (Just(made), values)
    })
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("n{number}")).collect()
}

fn made() -> impl Strategy<Value = Made> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            Primitive::Bool,
            Primitive::S8,
            Primitive::U8,
            Primitive::S16,
            Primitive::U16,
            Primitive::S32,
            Primitive::U32,
            Primitive::S64,
            Primitive::U64,
            Primitive::F32,
            Primitive::F64,
            Primitive::Char,
            Primitive::String,
        ])
        .prop_map(Made::Primitive),
        (1_usize..5).prop_map(|count| Made::Enum(names(count))),
        (1_usize..9).prop_map(|count| Made::Flags(names(count))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        let key = prop::sample::select(vec![Primitive::String, Primitive::U32, Primitive::Char, Primitive::Bool]);
        prop_oneof![
            boxed().prop_map(Made::List),
            (boxed(), 1_u32..4).prop_map(|(ty, count)| Made::Fixed(ty, count)),
            (key, boxed()).prop_map(|(key, ty)| Made::Map(key, ty)),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Made::Tuple),
            prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|types| Made::Record(names(types.len()).into_iter().zip(types).collect())),
            prop::collection::vec(prop::option::of(inner.clone()), 1..4)
                .prop_map(|types| Made::Variant(names(types.len()).into_iter().zip(types).collect())),
            boxed().prop_map(Made::Option),
            (prop::option::of(boxed()), prop::option::of(boxed())).prop_map(|(ok, err)| Made::Result(ok, err)),
        ]
    })
}

fn values_of(made: &Made) -> BoxedStrategy<Val> {
    let side = |ty: &Option<Box<Made>>| match ty {
        Some(ty) => values_of(ty).prop_map(|value| Some(Box::new(value))).boxed(),
        None => Just(None).boxed(),
    };
    match made {
        Made::Primitive(primitive) => primitives(*primitive),
        Made::List(ty) => prop::collection::vec(values_of(ty), 0..4).prop_map(Val::List).boxed(),
        Made::Fixed(ty, count) => {
            let count = usize::try_from(*count).unwrap();
            prop::collection::vec(values_of(ty), count..=count).prop_map(Val::FixedLengthList).boxed()
        }
        Made::Map(key, ty) => prop::collection::vec((primitives(*key), values_of(ty)), 0..4).prop_map(Val::Map).boxed(),
        Made::Tuple(types) => types.iter().map(values_of).collect::<Vec<_>>().prop_map(Val::Tuple).boxed(),
        Made::Record(fields) => {
            let names: Vec<String> = fields.iter().map(|(name, _)| name.clone()).collect();
            let values = fields.iter().map(|(_, ty)| values_of(ty)).collect::<Vec<_>>();
            values.prop_map(move |values| Val::Record(names.iter().cloned().zip(values).collect())).boxed()
        }
        Made::Variant(cases) => {
            let cases = cases.iter().map(|(name, ty)| {
                let name = name.clone();
                let payload = side(&ty.clone().map(Box::new));
                payload.prop_map(move |payload| Val::Variant(name.clone(), payload)).boxed()
            });
            prop::strategy::Union::new(cases).boxed()
        }
        Made::Enum(names) => prop::sample::select(names.clone()).prop_map(Val::Enum).boxed(),
        Made::Flags(names) => {
            let most = names.len();
            prop::sample::subsequence(names.clone(), 0..=most).prop_map(Val::Flags).boxed()
        }
        Made::Option(ty) => prop::option::of(values_of(ty)).prop_map(|value| Val::Option(value.map(Box::new))).boxed(),
        Made::Result(ok, err) => prop_oneof![
            side(ok).prop_map(|value| Val::Result(Ok(value))),
            side(err).prop_map(|value| Val::Result(Err(value))),
        ]
        .boxed(),
        Made::Stream(_) | Made::Own | Made::Borrow | Made::Doubling(_) => unreachable!("not made here"),
    }
}

fn primitives(primitive: Primitive) -> BoxedStrategy<Val> {
    match primitive {
        Primitive::Bool => any::<bool>().prop_map(Val::Bool).boxed(),
        Primitive::S8 => any::<i8>().prop_map(Val::S8).boxed(),
        Primitive::U8 => any::<u8>().prop_map(Val::U8).boxed(),
        Primitive::S16 => any::<i16>().prop_map(Val::S16).boxed(),
        Primitive::U16 => any::<u16>().prop_map(Val::U16).boxed(),
        Primitive::S32 => any::<i32>().prop_map(Val::S32).boxed(),
        Primitive::U32 => any::<u32>().prop_map(Val::U32).boxed(),
        Primitive::S64 => any::<i64>().prop_map(Val::S64).boxed(),
        Primitive::U64 => any::<u64>().prop_map(Val::U64).boxed(),
        // Every bit pattern, so all kinds of numbers; a NaN is a NaN.
        Primitive::F32 => any::<u32>().prop_map(|bits| Val::Float32(f32::from_bits(bits))).boxed(),
        Primitive::F64 => any::<u64>().prop_map(|bits| Val::Float64(f64::from_bits(bits))).boxed(),
        Primitive::Char => any::<char>().prop_map(Val::Char).boxed(),
        Primitive::String => any::<String>().prop_map(Val::String).boxed(),
        Primitive::ErrorContext => unreachable!("not made here"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn a_value_written_and_read_is_the_same(typed in typed()) {
        let (made, val) = typed;
        let (ty, schema) = types_of(&made);
        let text = json(&val, usize::MAX).unwrap();
        let written: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(value(&written, &ty), Ok(val.clone()), "{}", text);
        // What is written is what the schema says.
        let all = json!({ "x": written });
        prop_assert!(validator_for(&schema).unwrap().is_valid(&all), "{}\n{}", schema, all);
        prop_assert_eq!(arguments(&all.to_string(), [("x", ty)].into_iter()), Ok(vec![val]));
    }

    #[test]
    fn what_is_no_value_of_a_type_is_an_error_and_no_panic(made in made(), other in typed()) {
        let written: Value = serde_json::from_str(&json(&other.1, usize::MAX).unwrap()).unwrap();
        if let Ok(val) = value(&written, &type_of(&made)) {
            prop_assert!(json(&val, usize::MAX).is_ok());
        }
    }
}

#[test]
fn every_other_form_of_a_value_is_taken() {
    let list = |made: Made| Made::List(Box::new(made));
    let primitive = Made::Primitive;
    let flags = Made::Flags(vec!["a".into(), "b".into()]);
    for (made, given, wanted) in [
        (primitive(Primitive::U64), json!("18446744073709551615"), Val::U64(u64::MAX)),
        (primitive(Primitive::S64), json!("-9223372036854775808"), Val::S64(i64::MIN)),
        (primitive(Primitive::U8), json!(7.0), Val::U8(7)),
        (primitive(Primitive::F64), json!("Infinity"), Val::Float64(f64::INFINITY)),
        (primitive(Primitive::F64), json!(1), Val::Float64(1.0)),
        (list(BYTE), json!("AP8="), Val::List(vec![Val::U8(0), Val::U8(255)])),
        (flags.clone(), json!({ "b": true, "a": false }), Val::Flags(vec!["b".into()])),
        (flags, json!(["b", "a", "b"]), Val::Flags(vec!["a".into(), "b".into()])),
        (
            Made::Record(vec![("a".into(), Made::Option(Box::new(BYTE)))]),
            json!({}),
            Val::Record(vec![("a".into(), Val::Option(None))]),
        ),
    ] {
        let (ty, schema) = types_of(&made);
        assert!(validator_for(&schema).unwrap().is_valid(&json!({ "x": given })), "{schema} {given}");
        assert_eq!(value(&given, &ty), Ok(wanted), "{given}");
    }
}

#[test]
fn what_does_not_fit_is_named_by_its_place() {
    let point = Made::Record(vec![("x".into(), BYTE), ("bytes".into(), Made::List(Box::new(BYTE)))]);
    let points = Made::Record(vec![("points".into(), Made::List(Box::new(point)))]);
    let color = Made::Enum(vec!["red".into(), "green".into()]);
    let shape = Made::Variant(vec![("dot".into(), None), ("circle".into(), Some(Made::Primitive(Primitive::F32)))]);
    let outcome = Made::Result(Some(Box::new(BYTE)), None);
    let small = json!({ "x": 1, "bytes": [] });
    let texts: Vec<String> = [
        (&points, json!({ "points": [small, { "x": "three", "bytes": [] }] })),
        (&points, json!({ "points": [small, { "x": 256, "bytes": [] }] })),
        (&points, json!({ "points": [{ "x": 1.5, "bytes": [] }] })),
        (&points, json!({ "points": [{ "bytes": [] }] })),
        (&points, json!({ "points": [{ "x": 1, "bytes": [], "y": 2 }] })),
        (&points, json!({ "points": [{ "x": 1, "bytes": "?" }] })),
        (&points, json!([])),
        (&color, json!("blue")),
        (&shape, json!({ "tag": "square" })),
        (&shape, json!({ "tag": "circle" })),
        (&shape, json!({ "tag": "circle", "val": 1e300 })),
        (&shape, json!({ "tag": "dot", "val": 1 })),
        (&outcome, json!({ "err": 1 })),
        (&outcome, json!({ "ok": 1, "err": null })),
        (&outcome, json!({})),
        (&Made::Fixed(Box::new(BYTE), 2), json!([1, 2, 3])),
        (&Made::Tuple(vec![BYTE, BYTE]), json!([1])),
        (&Made::Flags(vec!["a".into()]), json!(["b"])),
        (&Made::Primitive(Primitive::Char), json!("ab")),
        (&Made::Primitive(Primitive::U64), json!("-1")),
        (&Made::Primitive(Primitive::S64), json!(9.3e18)),
    ]
    .into_iter()
    .map(|(made, given)| {
        let text = json!({ "it": given }).to_string();
        arguments(&text, [("it", type_of(made))].into_iter()).unwrap_err().to_string()
    })
    .collect();
    insta::assert_snapshot!(texts.join("\n"), @r#"
    at `.it.points[1].x`: it has to be an integer from 0 to 255, and is: "three"
    at `.it.points[1].x`: it has to be an integer from 0 to 255, and is: 256
    at `.it.points[0].x`: it has to be an integer from 0 to 255, and is: 1.5
    at `.it.points[0].x`: it is missing
    at `.it.points[0].y`: it is unknown; there are: `x`, `bytes`
    at `.it.points[0].bytes`: it is no base64: Invalid symbol 63, offset 0.
    at `.it`: it has to be an object, and is: an array of 0
    at `.it`: it has to be one of `red`, `green`, and is: "blue"
    at `.it`: it has to be an object with a `tag` that is one of `dot`, `circle`, and is: an object of `tag`
    at `.it.val`: it is missing
    at `.it.val`: it has to be a number that 32 bits have, and is: 1e+300
    at `.it`: it has to be an object of `tag`, and is: an object of `tag`, `val`
    at `.it.err`: it has to be null, and is: 1
    at `.it`: it has to be an object of `err`, and is: an object of `ok`, `err`
    at `.it.ok`: it is missing
    at `.it`: it has to have 2 entries, and has: 3
    at `.it`: it has to be an array of 2, and is: an array of 1
    at `.it[0]`: it has to be one of `a`
    at `.it`: it has to be one character, and is: "ab"
    at `.it`: it has to be an integer from 0 to 18446744073709551615, and is: "-1"
    at `.it`: it has to be an integer from -9223372036854775808 to 9223372036854775807, and is: 9.3e+18
    "#);
}

#[test]
fn arguments_that_are_no_object_or_unknown_are_refused() {
    let of = |text: &str| arguments(text, [("it", type_of(&BYTE))].into_iter()).unwrap_err().to_string();
    insta::assert_snapshot!([of("[]"), of("{"), of("{}"), of("{\"it\":1,\"that\":2}")].join("\n"), @r"
    the arguments have to be an object
    the arguments are not JSON: EOF while parsing an object at line 1 column 1
    at `.it`: it is missing
    at `.that`: it is unknown; there are: `it`
    ");
}

#[test]
fn a_call_has_as_many_values_as_it_may_and_no_more() {
    use base64::Engine as _;
    let bytes = type_of(&Made::List(Box::new(BYTE)));
    let encoded = |count: usize| Value::from(base64::engine::general_purpose::STANDARD.encode(vec![1_u8; count]));
    // The list itself is a value.
    let most = (VALUES_MAX - 1) / 3 * 3;
    assert!(value(&encoded(most), &bytes).is_ok());
    let error = value(&encoded(most + 3), &bytes).unwrap_err();
    assert_eq!(error.what, "is too much: a call may have 1048576 values in its arguments");
    let listed = |count: usize| Value::from(vec![1; count]);
    assert!(value(&listed(VALUES_MAX - 1), &bytes).is_ok());
    assert!(value(&listed(VALUES_MAX), &bytes).is_err());
}

#[test]
fn json_has_as_many_bytes_as_it_may_and_no_more() {
    let val = Val::Record(vec![("a".into(), Val::List(vec![Val::U8(1), Val::String("x\n".into())]))]);
    let text = r#"{"a":[1,"x\n"]}"#;
    assert_eq!(json(&val, text.len()).unwrap(), text);
    for most in 0..text.len() {
        assert_eq!(json(&val, most), Err(TooLarge), "{most}");
    }
}

#[test]
fn a_result_is_content_or_a_failure() {
    let some = |val: Val| Some(Box::new(val));
    let of = |val: Val| told(Some(&val), 100);
    assert_eq!(told(None, 100), Ok(Vec::new()));
    assert_eq!(of(Val::String("a".into())), Ok(vec![Content::Text("a".into())]));
    assert_eq!(of(Val::U8(1)), Ok(vec![Content::Json("1".into())]));
    assert_eq!(of(Val::Result(Ok(None))), Ok(Vec::new()));
    assert_eq!(of(Val::Result(Ok(some(Val::String("a".into()))))), Ok(vec![Content::Text("a".into())]));
    assert_eq!(of(Val::Result(Ok(some(Val::List(Vec::new()))))), Ok(vec![Content::Json("[]".into())]));
    assert_eq!(of(Val::Result(Err(None))), Err(Error::Failed("the tool failed, and says no more".into())));
    assert_eq!(of(Val::Result(Err(some(Val::String("no".into()))))), Err(Error::Failed("no".into())));
    let reason = Val::Record(vec![("code".into(), Val::U32(7))]);
    assert_eq!(of(Val::Result(Err(some(reason)))), Err(Error::Failed("{\"code\":7}".into())));
    assert!(matches!(of(Val::List(vec![Val::U8(255); 100])), Err(Error::Limit(_))));
}
