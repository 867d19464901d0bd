//! What becomes of components that nobody wrote for this host, before anything of them runs.

use serde_json::json;

use super::made::{Function as MadeFunction, Made, Primitive, component, exporting, with_section};
use super::*;
use crate::plugin::Binary;

const TEXT: Made = Made::Primitive(Primitive::String);
const BYTE: Made = Made::Primitive(Primitive::U8);

fn read(functions: &[MadeFunction<'_>]) -> Binary {
    Binary::read_named(&component("a:b/tools@0.1.0", functions), "made").unwrap()
}

fn schema_of(ty: Made) -> Value {
    let binary = read(&[("f", vec![("x", ty)], None)]);
    binary.manifest.tools[0].input_schema["properties"]["x"].clone()
}

fn refusal(bytes: &[u8]) -> String {
    Binary::read_named(bytes, "made").unwrap_err().to_string()
}

fn left_out(binary: &Binary) -> Vec<(&str, &str)> {
    let left_out = &binary.reflected.as_ref().unwrap().left_out;
    left_out.iter().map(|left| (left.export.as_str(), left.why.as_str())).collect()
}

#[test]
fn a_function_of_an_interface_is_a_tool_that_needs_nothing_and_reads() {
    let binary = read(&[("say-it", vec![("text", TEXT), ("times", Made::Option(Box::new(BYTE)))], Some(TEXT))]);
    let manifest = &binary.manifest;
    assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("made", "0.0.0"));
    assert!(manifest.needs.is_empty());
    let tool = &manifest.tools[0];
    assert_eq!((tool.name.as_str(), tool.effect, tool.idempotent), ("a_b_tools_0_1_0_say_it", ToolEffect::Read, false));
    assert_eq!(tool.description, "The function `a:b/tools@0.1.0#say-it` of the component");
    assert_eq!(tool.input_schema["required"], json!(["text"]));
    assert_eq!(tool.input_schema["additionalProperties"], json!(false));
    let function = &binary.reflected.as_ref().unwrap().functions[0];
    assert_eq!(function.export(), "a:b/tools@0.1.0#say-it");
}

#[test]
fn what_the_component_says_of_itself_is_taken() {
    let bytes = component("a:b/tools", &[("f", Vec::new(), None)]);
    let bytes = with_section(&bytes, "version", b"1.2.3");
    let bytes = with_section(&bytes, "description", b"Does f");
    let docs = br#"{"interfaces":{"tools":{"funcs":{"f":{"docs":"Do it.\n"}}}}}"#;
    let bytes = with_section(&bytes, "package-docs", &[&[1][..], docs].concat());
    let manifest = Binary::read_named(&bytes, "made").unwrap().manifest;
    assert_eq!((manifest.version.as_str(), manifest.description.as_str()), ("1.2.3", "Does f"));
    assert_eq!(manifest.tools[0].description, "Do it.");
}

#[test]
fn schemas_are_those_of_wassette_and_take_more() {
    let boxed = |ty| Box::new(ty);
    let case = |name: &str, ty| (name.to_owned(), ty);
    assert_eq!(schema_of(BYTE), json!({ "type": "integer", "minimum": 0, "maximum": 255 }));
    assert_eq!(schema_of(Made::Primitive(Primitive::U64))["maximum"], json!(u64::MAX));
    assert_eq!(schema_of(Made::Primitive(Primitive::F64))["type"], json!(["number", "string"]));
    assert_eq!(schema_of(Made::Primitive(Primitive::Char))["maxLength"], json!(1));
    assert_eq!(schema_of(Made::List(boxed(TEXT))), json!({ "type": "array", "items": { "type": "string" } }));
    assert_eq!(schema_of(Made::List(boxed(BYTE)))["contentEncoding"], json!("base64"));
    assert_eq!(schema_of(Made::Fixed(boxed(TEXT), 3))["minItems"], json!(3));
    assert_eq!(schema_of(Made::Map(Primitive::String, boxed(TEXT)))["items"]["required"], json!(["key", "value"]));
    assert_eq!(
        schema_of(Made::Tuple(vec![TEXT, TEXT]))["prefixItems"],
        json!([{ "type": "string" }, { "type": "string" }])
    );
    assert_eq!(schema_of(Made::Enum(vec!["a".into(), "b".into()])), json!({ "type": "string", "enum": ["a", "b"] }));
    assert_eq!(schema_of(Made::Flags(vec!["a".into()]))["properties"], json!({ "a": { "type": "boolean" } }));
    assert_eq!(schema_of(Made::Option(boxed(TEXT))), json!({ "anyOf": [{ "type": "null" }, { "type": "string" }] }));
    let twice = schema_of(Made::Option(boxed(Made::Option(boxed(TEXT)))));
    assert_eq!(twice["anyOf"][1]["required"], json!(["some"]));
    let result = schema_of(Made::Result(Some(boxed(TEXT)), None));
    assert_eq!(result["oneOf"][0]["properties"], json!({ "ok": { "type": "string" } }));
    assert_eq!(result["oneOf"][1]["properties"], json!({ "err": { "type": "null" } }));
    let variant = schema_of(Made::Variant(vec![case("none", None), case("some", Some(TEXT))]));
    assert_eq!(variant["oneOf"][0]["required"], json!(["tag"]));
    assert_eq!(variant["oneOf"][1]["properties"], json!({ "tag": { "const": "some" }, "val": { "type": "string" } }));
    let record = schema_of(Made::Record(vec![("a".into(), TEXT), ("b".into(), Made::Option(boxed(TEXT)))]));
    assert_eq!(record["required"], json!(["a"]));
}

#[test]
fn functions_with_resources_and_asynchronous_ones_are_left_out_with_the_reason() {
    let binary = read(&[
        ("plain", Vec::new(), None),
        ("lend", vec![("it", Made::Borrow)], None),
        ("make", Vec::new(), Some(Made::List(Box::new(Made::Own)))),
        ("async-wait", Vec::new(), None),
        ("flow", Vec::new(), Some(Made::Stream(Box::new(BYTE)))),
    ]);
    assert_eq!(binary.manifest.tools.len(), 1);
    insta::assert_snapshot!(left_out(&binary).iter().map(|(export, why)| format!("{export}: {why}\n")).collect::<String>(), @r"
    a:b/tools@0.1.0#lend: takes or returns a resource, which would have to live longer than a call
    a:b/tools@0.1.0#make: takes or returns a resource, which would have to live longer than a call
    a:b/tools@0.1.0#async-wait: is asynchronous (async, stream, future or error-context)
    a:b/tools@0.1.0#flow: is asynchronous (async, stream, future or error-context)
    ");
}

#[test]
fn what_componentize_py_puts_into_every_component_is_left_out() {
    let functions = [("init", Vec::new(), None), ("f", Vec::new(), None)];
    let binary = Binary::read_named(&component("exports", &functions), "made").unwrap();
    assert_eq!(left_out(&binary), [("exports#init", "a function for the tool that made the component")]);
    assert_eq!(binary.manifest.tools[0].name, "exports_f");
}

#[test]
fn types_that_double_at_each_level_are_left_out_and_cost_nothing() {
    // 2^16 bytes of types: as JSON Schema some megabytes.
    let binary = read(&[("plain", Vec::new(), None), ("explode", vec![("x", Made::Doubling(16))], None)]);
    assert_eq!(left_out(&binary), [("a:b/tools@0.1.0#explode", Misfit::TooLarge.why())]);
    let binary = read(&[("plain", Vec::new(), None), ("explode", Vec::new(), Some(Made::Doubling(16)))]);
    assert_eq!(left_out(&binary), [("a:b/tools@0.1.0#explode", Misfit::TooLarge.why())]);
    // What the validator of the engine does not take is no component at all.
    let text = refusal(&component("a:b/tools", &[("explode", vec![("x", Made::Doubling(64))], None)]));
    assert!(text.contains("its types cannot be read"), "{text}");
}

#[test]
fn types_are_nested_as_deep_as_they_may_and_no_deeper() {
    let nested = |levels: usize| (1..levels).fold(BYTE, |inner, _| Made::Tuple(vec![inner]));
    let binary = read(&[
        ("deepest", vec![("x", nested(schema::DEPTH_MAX))], None),
        ("deeper", vec![("x", nested(schema::DEPTH_MAX + 1))], None),
    ]);
    assert_eq!(binary.manifest.tools.len(), 1);
    assert_eq!(left_out(&binary), [("a:b/tools@0.1.0#deeper", Misfit::TooDeep.why())]);
    // The schema of the deepest can be read by readers of JSON.
    let schema = binary.manifest.tools[0].input_schema.to_string();
    serde_json::from_str::<Value>(&schema).unwrap();
    let text = refusal(&component("a:b/tools", &[("deeper", vec![("x", nested(101))], None)]));
    assert!(text.contains("its types cannot be read"), "{text}");
}

#[test]
fn the_deepest_schema_of_any_type_can_be_read() {
    let of: [fn(Made) -> Made; 5] = [
        |ty| Made::Variant(vec![("c".into(), Some(ty))]),
        |ty| Made::Option(Box::new(ty)),
        |ty| Made::Result(None, Some(Box::new(ty))),
        |ty| Made::Map(Primitive::U8, Box::new(ty)),
        |ty| Made::Record(vec![("f".into(), ty)]),
    ];
    for wrap in of {
        let deepest = (1..schema::DEPTH_MAX).fold(BYTE, |inner, _| wrap(inner));
        let binary = read(&[("f", vec![("x", deepest)], None)]);
        let schema = binary.manifest.tools[0].input_schema.to_string();
        serde_json::from_str::<Value>(&schema).unwrap();
    }
}

#[test]
fn there_are_as_many_functions_as_a_plugin_may_have_tools_and_no_more() {
    let names: Vec<String> = (0..=FUNCTIONS_MAX).map(|number| format!("f{number}")).collect();
    let functions: Vec<MadeFunction<'_>> = names.iter().map(|name| (name.as_str(), Vec::new(), None)).collect();
    assert_eq!(read(&functions[..FUNCTIONS_MAX]).manifest.tools.len(), FUNCTIONS_MAX);
    let text = refusal(&component("a:b/tools", &functions));
    assert!(text.contains("more than 256 functions"), "{text}");
}

#[test]
fn a_schema_has_as_many_bytes_as_it_may_and_no_more() {
    let record = |fields: usize| {
        let field = |number: usize| (format!("f{number:05}-{}", "x".repeat(1_000)), Made::Option(Box::new(TEXT)));
        Made::Record((0..fields).map(field).collect())
    };
    let binary = read(&[("f", vec![("x", record(60))], None), ("g", vec![("x", record(66))], None)]);
    assert!(binary.manifest.tools[0].input_schema.to_string().len() <= SCHEMA_BYTES_MAX);
    assert_eq!(left_out(&binary), [("a:b/tools@0.1.0#g", Misfit::TooLarge.why())]);
}

#[test]
fn two_functions_of_one_name_are_an_error_that_names_both() {
    let text = refusal(&exporting(&["a:b/c-d", "a:b/c"], &[("e", Vec::new(), None), ("d-e", Vec::new(), None)]));
    insta::assert_snapshot!(text, @r"
    two functions of the component would be the tool `a_b_c_d_e`: `a:b/c-d#e` and `a:b/c#d-e`
    hint: names differ by more than punctuation; rename one of them
    ");
}

#[test]
fn what_the_component_is_instead_is_said() {
    let of = |interface: &str, function: &str| refusal(&component(interface, &[(function, Vec::new(), None)]));
    let nothing = refusal(&wasm_encoder::Component::new().finish());
    let only = refusal(&component("a:b/tools", &[("make", Vec::new(), Some(Made::Own))]));
    let texts = [
        of("wasi:cli/run@0.2.6", "run"),
        of("wasi:http/incoming-handler@0.2.6", "handle"),
        of("act:tools/tool-provider@0.1.0", "async-call-tool"),
        of("act:core/tool-provider@0.1.1", "list-tools"),
        nothing,
        only,
    ];
    insta::assert_snapshot!(texts.join("\n\n"), @r"
    the component is a program (it exports `wasi:cli/run@0.2.6`), and no plugin
    hint: programs are run by the capability `process` as native ones; a plugin exports functions (docs/components.md)

    the component is a web server (it exports `wasi:http/incoming-handler@0.2.6`), and no plugin
    hint: a plugin exports functions that are called; docs/components.md says which

    the component is of another version of ACT: it exports `act:tools/tool-provider@0.1.0`, and this host calls `act:tools/tool-provider@0.2.0`
    hint: build it anew with act-sdk 0.14; or name `act run --mcp --deny wasi:filesystem` of it as an MCP server (docs/mcp.md)

    the component is of another version of ACT: it exports `act:core/tool-provider@0.1.1`, and this host calls `act:tools/tool-provider@0.2.0`
    hint: build it anew with act-sdk 0.14; or name `act run --mcp --deny wasi:filesystem` of it as an MCP server (docs/mcp.md)

    the component has no manifest, and exports no function that could be a tool
    hint: export functions of plain types (docs/components.md), or `pi:tool/tool@0.1.0` with a manifest (docs/plugins.md)

    the component has no manifest, and exports no function that could be a tool; it exports:
      `a:b/tools#make`: takes or returns a resource, which would have to live longer than a call
    hint: export functions of plain types (docs/components.md), or `pi:tool/tool@0.1.0` with a manifest (docs/plugins.md)
    ");
}

#[test]
fn docs_that_are_too_large_are_an_error() {
    let bytes = component("a:b/tools", &[("f", Vec::new(), None)]);
    let most = with_section(&bytes, "package-docs", &vec![b' '; DOCS_BYTES_MAX]);
    assert!(Binary::read_named(&most, "made").is_ok());
    let text = refusal(&with_section(&bytes, "package-docs", &vec![b' '; DOCS_BYTES_MAX + 1]));
    assert!(text.contains("`package-docs` has more than 1024 KiB"), "{text}");
}

#[test]
fn what_the_author_wrote_is_cut() {
    let bytes = component("a:b/tools", &[("f", Vec::new(), None)]);
    let docs = json!({ "interfaces": { "tools": { "funcs": { "f": "ä".repeat(DESCRIPTION_BYTES_MAX) } } } });
    let bytes = with_section(&bytes, "package-docs", format!("\u{1}{docs}").as_bytes());
    let tool = Binary::read_named(&bytes, "made").unwrap().manifest.tools.remove(0);
    assert_eq!(tool.description.len(), DESCRIPTION_BYTES_MAX);
}

#[test]
fn without_a_name_a_component_needs_a_manifest() {
    let error = Binary::read(&component("a:b/tools", &[("f", Vec::new(), None)])).unwrap_err();
    assert!(error.to_string().contains("no manifest"), "{error}");
}

#[test]
fn a_name_that_no_plugin_may_have_is_refused() {
    let bytes = component("a:b/tools", &[("f", Vec::new(), None)]);
    let error = Binary::read_named(&bytes, "A name").unwrap_err();
    assert!(error.to_string().contains("the plugin's name"), "{error}");
}

#[test]
fn half_a_component_is_an_error_wherever_it_is_cut() {
    let bytes = component("a:b/tools", &[("f", vec![("x", Made::Doubling(4))], None)]);
    for length in 0..bytes.len() {
        // An end between two sections is an end: what is missing then is what was to come.
        let text = refusal(&bytes[..length]);
        assert!(
            text.contains("not a WebAssembly component") || text.contains("exports no function"),
            "{length}: {text}"
        );
    }
}

#[test]
fn no_byte_that_is_changed_makes_it_panic() {
    let bytes =
        component("a:b/tools", &[("f", vec![("x", Made::Option(Box::new(Made::Own)))], None), ("g", Vec::new(), None)]);
    for at in 8..bytes.len() {
        for value in [0, 1, 0x40, 0x7f, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = value;
            let _ = Binary::read_named(&changed, "made");
        }
    }
}

/// A component of ACT that has not been asked for its tools.
fn of_act() -> Binary {
    let bytes = exporting(
        &["act:tools/tool-provider@0.2.0", "act:sessions/session-provider@0.1.0"],
        &[("async-f", Vec::new(), None)],
    );
    Binary::read_named(&with_section(&bytes, "version", b"1.2.3"), "made").unwrap()
}

fn listed(name: &str) -> Listed {
    Listed { name: name.into(), description: "Does it".into(), input_schema: "{}".into(), is_destructive: false }
}

fn listing(tools: Vec<Listed>) -> Result<Binary, String> {
    of_act().with_listing(&Listing { tools }).map_err(|error| error.to_string())
}

#[test]
fn a_component_of_act_has_the_tools_that_it_lists() {
    assert!(of_act().is_unlisted() && of_act().manifest.tools.is_empty());
    let wipe = Listed { is_destructive: true, description: " ".into(), ..listed("Wipe.all") };
    let binary = listing(vec![listed("get-weather"), wipe]).unwrap();
    assert!(!binary.is_unlisted());
    assert_eq!(binary.manifest.version, "1.2.3");
    let [get, wipe] = &binary.manifest.tools[..] else { panic!() };
    assert_eq!((get.name.as_str(), get.effect, get.idempotent), ("get_weather", ToolEffect::Read, false));
    assert_eq!((get.description.as_str(), &get.input_schema), ("Does it", &json!({ "type": "object" })));
    assert_eq!((wipe.name.as_str(), wipe.effect), ("wipe_all", ToolEffect::Destructive));
    assert_eq!(wipe.description, "The tool `Wipe.all` of the component");
    let reflected = binary.reflected.as_ref().unwrap();
    assert!(reflected.is_said_destructive("wipe_all") && !reflected.is_said_destructive("get_weather"));
    assert_eq!(reflected.functions[1].export(), "act:tools/tool-provider@0.2.0#Wipe.all");
    let sessions = "sessions are not kept: each call has an instance of its own";
    assert_eq!(left_out(&binary), [("act:sessions/session-provider@0.1.0", sessions)]);
}

#[test]
fn a_listed_tool_that_does_not_fit_is_left_out_by_name() {
    let with = |input_schema: &str| Listed { input_schema: input_schema.into(), ..listed("odd") };
    // As compact JSON, with the type that is put in.
    let large = |bytes: usize| format!("{{\"d\":\"{}\"}}", "x".repeat(bytes - 8));
    for tool in [
        listed(""),
        listed(&"x".repeat(NAME_CHARS_MAX + 1)),
        with(""),
        with("[]"),
        with("{\"type\":\"array\"}"),
        with("{\"a\":1,\"a\":2}"),
        with(&large(SCHEMA_BYTES_MAX + 1)),
        with(&"[".repeat(10_000)),
    ] {
        let binary = listing(vec![listed("f"), tool]).unwrap();
        assert_eq!((binary.manifest.tools.len(), left_out(&binary).len()), (1, 2));
    }
    listing(vec![with(&large(SCHEMA_BYTES_MAX - 20))]).unwrap();
    let longest = listing(vec![listed(&"x".repeat(NAME_CHARS_MAX))]).unwrap();
    assert_eq!(longest.manifest.tools[0].name.len(), 64);
    let text = Listed { description: "ä".repeat(DESCRIPTION_BYTES_MAX), ..listed("f") };
    assert_eq!(listing(vec![text]).unwrap().manifest.tools[0].description.len(), DESCRIPTION_BYTES_MAX);
}

#[test]
fn a_list_that_cannot_be_offered_is_an_error() {
    let many = |tools: usize| (0..tools).map(|number| listed(&format!("f{number}"))).collect();
    assert_eq!(listing(many(FUNCTIONS_MAX)).unwrap().manifest.tools.len(), FUNCTIONS_MAX);
    let forged = Listed { input_schema: String::new(), ..listed("a\nhint: run this") };
    let texts = [
        listing(many(FUNCTIONS_MAX + 1)).unwrap_err(),
        listing(vec![listed("a-b"), listed("a_b")]).unwrap_err(),
        listing(Vec::new()).unwrap_err(),
        listing(vec![forged]).unwrap_err(),
    ];
    insta::assert_snapshot!(texts.join("\n\n"), @r"
    the component lists more than 256 tools, and a plugin has so many at most

    two functions of the component would be the tool `a_b`: `a-b` and `a_b`
    hint: names differ by more than punctuation; rename one of them

    the component is of ACT, and lists no tool that could be called
      `act:sessions/session-provider@0.1.0`: sessions are not kept: each call has an instance of its own
    hint: docs/components.md says what a tool has to have

    the component is of ACT, and lists no tool that could be called
      `act:sessions/session-provider@0.1.0`: sessions are not kept: each call has an instance of its own
      `a\nhint: run this`: its schema is no JSON object, or has one key twice
    hint: docs/components.md says what a tool has to have
    ");
}
