//! Components made by hand, or from a guest by adding to it: what no toolchain makes.

use wasm_encoder::{
    BlockType, CodeSection, Component, ComponentImportSection, ComponentSection as _, ComponentTypeRef,
    ComponentTypeSection, ComponentValType, Function, FunctionSection, HeapType, InstanceSection, InstanceType, Module,
    ModuleSection, PrimitiveValType, RefType, StartSection, TableSection, TableType, TypeSection,
};
use wasmparser::Validator;

/// A core module: WebAssembly, and no component.
pub(crate) fn core_module() -> Vec<u8> {
    Module::new().finish()
}

/// A component with nothing in it.
pub(crate) fn empty_component() -> Vec<u8> {
    Component::new().finish()
}

/// The guest, and an import that no host has.
pub(crate) fn with_unknown_import(guest: &[u8]) -> Vec<u8> {
    with_import(guest, "evil:network/exfiltrate@1.0.0")
}

/// The guest, and the import of an instance with one function.
pub(crate) fn with_import(guest: &[u8], name: &str) -> Vec<u8> {
    let mut instance = InstanceType::new();
    instance.ty().function().params([("bytes", ComponentValType::Primitive(PrimitiveValType::String))]).result(None);
    instance.export("send", ComponentTypeRef::Func(0));
    let mut types = ComponentTypeSection::new();
    types.instance(&instance);
    let mut imports = ComponentImportSection::new();
    imports.import(name, ComponentTypeRef::Instance(counts(guest).types));
    let mut bytes = guest.to_vec();
    types.append_to_component(&mut bytes);
    imports.append_to_component(&mut bytes);
    bytes
}

/// The guest as if it had been built against another version of the contract.
pub(crate) fn of_contract(guest: &[u8], version: &str) -> Vec<u8> {
    let known = b"pi:tool/tool@0.1.0";
    let other = format!("pi:tool/tool@{version}");
    assert_eq!(known.len(), other.len(), "a name of another length would need the sizes of its sections changed");
    let mut bytes = guest.to_vec();
    for at in 0..bytes.len() - known.len() {
        if bytes[at..].starts_with(known) {
            bytes[at..at + known.len()].copy_from_slice(other.as_bytes());
        }
    }
    bytes
}

/// The guest as if it had been built against another version 0.2 of WASI: the same interfaces under its names.
pub(crate) fn of_wasi(guest: &[u8], version: &str) -> Vec<u8> {
    const IMPORTS: u8 = 10;
    let mut bytes = guest.get(..8).unwrap().to_vec();
    let mut at = 8;
    while at < guest.len() {
        let id = guest[at];
        let (size, begin) = number(guest, at + 1);
        let mut payload = guest[begin..begin + size].to_vec();
        if id == IMPORTS {
            payload = renamed(&payload, version);
        }
        bytes.push(id);
        let mut left = payload.len();
        while left >= 0x80 {
            bytes.push((left % 0x80) as u8 | 0x80);
            left /= 0x80;
        }
        bytes.push(left as u8);
        bytes.extend(payload);
        at = begin + size;
    }
    bytes
}

/// A number in LEB128, and where it ends.
fn number(bytes: &[u8], mut at: usize) -> (usize, usize) {
    let (mut number, mut shift) = (0, 0);
    loop {
        number |= usize::from(bytes[at] & 0x7f) << shift;
        shift += 7;
        at += 1;
        if bytes[at - 1] < 0x80 {
            return (number, at);
        }
    }
}

/// Names of WASI's interfaces, each behind its length, under another version.
fn renamed(payload: &[u8], version: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < payload.len() {
        let length = usize::from(payload[at]);
        let name = payload.get(at + 1..at + 1 + length).and_then(|name| std::str::from_utf8(name).ok());
        match name.and_then(|name| name.strip_prefix("wasi:")?.split_once("@0.2.")) {
            Some((interface, _)) => {
                let name = format!("wasi:{interface}@{version}");
                out.push(u8::try_from(name.len()).unwrap());
                out.extend(name.bytes());
                at += 1 + length;
            }
            None => {
                out.push(payload[at]);
                at += 1;
            }
        }
    }
    out
}

/// The guest, and a core module that loops for ever while it is instantiated.
pub(crate) fn looping_at_start(guest: &[u8]) -> Vec<u8> {
    let mut function = Function::new([]);
    function.instructions().loop_(BlockType::Empty).br(0).end().end();
    with_start(guest, None, function)
}

/// The guest, and a core module that grows its table while it is instantiated, until it may not.
pub(crate) fn growing_a_table(guest: &[u8]) -> Vec<u8> {
    let table = TableType { element_type: RefType::FUNCREF, table64: false, minimum: 1, maximum: None, shared: false };
    let mut function = Function::new([]);
    function
        .instructions()
        .loop_(BlockType::Empty)
        .ref_null(HeapType::FUNC)
        .i32_const(10_000)
        .table_grow(0)
        .i32_const(-1)
        .i32_ne()
        .br_if(0)
        .end()
        .unreachable()
        .end();
    with_start(guest, Some(table), function)
}

fn with_start(guest: &[u8], table: Option<TableType>, start: Function) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut code = CodeSection::new();
    code.function(&start);
    let mut module = Module::new();
    module.section(&types).section(&functions);
    if let Some(table) = table {
        let mut tables = TableSection::new();
        tables.table(table);
        module.section(&tables);
    }
    module.section(&StartSection { function_index: 0 }).section(&code);
    let mut instances = InstanceSection::new();
    instances.instantiate(counts(guest).modules, std::iter::empty::<(&str, wasm_encoder::ModuleArg)>());
    let mut bytes = guest.to_vec();
    ModuleSection(&module).append_to_component(&mut bytes);
    instances.append_to_component(&mut bytes);
    bytes
}

/// How many of each a component has: what is added gets the next number.
struct Counts {
    types: u32,
    modules: u32,
}

fn counts(component: &[u8]) -> Counts {
    let types = Validator::new().validate_all(component).unwrap();
    let types = types.as_ref();
    Counts { types: types.component_type_count(), modules: types.module_count() }
}
