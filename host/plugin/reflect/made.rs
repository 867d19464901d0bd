//! Components made by hand for tests: an interface with functions over any types. It is imported and
//! exported again, so that no code is needed.

use wasm_encoder::{
    Component, ComponentExportKind, ComponentExportSection, ComponentImportSection, ComponentTypeRef,
    ComponentTypeSection, ComponentValType, CustomSection, InstanceType, TypeBounds,
};

pub(crate) use wasm_encoder::PrimitiveValType as Primitive;

/// Under this name the interface is imported: one that every host links.
pub(crate) const IMPORT: &str = "wasi:io/made@0.2.0";

/// A type of the component model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Made {
    Primitive(Primitive),
    List(Box<Made>),
    Fixed(Box<Made>, u32),
    Map(Primitive, Box<Made>),
    Tuple(Vec<Made>),
    Record(Vec<(String, Made)>),
    Variant(Vec<(String, Option<Made>)>),
    Enum(Vec<String>),
    Flags(Vec<String>),
    Option(Box<Made>),
    Result(Option<Box<Made>>, Option<Box<Made>>),
    Stream(Box<Made>),
    Own,
    Borrow,
    /// A tuple of twice the one below it, and so on down to a byte.
    Doubling(usize),
}

/// A function's name, its parameters and its result.
pub(crate) type Function<'a> = (&'a str, Vec<(&'a str, Made)>, Option<Made>);

/// A component that exports `interface` with these functions. No engine compiles it.
pub(crate) fn component(interface: &str, functions: &[Function<'_>]) -> Vec<u8> {
    exporting(&[interface], functions)
}

/// The same under several names.
pub(crate) fn exporting(interfaces: &[&str], functions: &[Function<'_>]) -> Vec<u8> {
    let mut exports = ComponentExportSection::new();
    for interface in interfaces {
        exports.export(*interface, ComponentExportKind::Instance, 0, None);
    }
    let mut component = importing(functions);
    component.section(&exports);
    component.finish()
}

/// A component that imports these functions, and exports none.
pub(crate) fn importing(functions: &[Function<'_>]) -> Component {
    let mut maker = Maker { instance: InstanceType::new(), types: 0, named: 0, resource: None };
    for (name, parameters, result) in functions {
        let parameters: Vec<(&str, ComponentValType)> =
            parameters.iter().map(|(name, ty)| (*name, maker.value(ty))).collect();
        let result = result.as_ref().map(|ty| maker.value(ty));
        let is_async = name.starts_with("async-");
        maker.instance.ty().function().async_(is_async).params(parameters).result(result);
        let function = maker.next();
        maker.instance.export(*name, ComponentTypeRef::Func(function));
    }
    let mut types = ComponentTypeSection::new();
    types.instance(&maker.instance);
    let mut imports = ComponentImportSection::new();
    imports.import(IMPORT, ComponentTypeRef::Instance(0));
    let mut component = Component::new();
    component.section(&types).section(&imports);
    component
}

/// The component with a section of its own.
pub(crate) fn with_section(component: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    use wasm_encoder::ComponentSection as _;
    let mut bytes = component.to_vec();
    CustomSection { name: name.into(), data: data.into() }.append_to_component(&mut bytes);
    bytes
}

struct Maker {
    instance: InstanceType,
    types: u32,
    named: u32,
    resource: Option<u32>,
}

impl Maker {
    fn next(&mut self) -> u32 {
        self.types += 1;
        self.types - 1
    }

    /// What has names inside needs one itself before a function may use it.
    fn name(&mut self) -> u32 {
        let unnamed = self.next();
        self.instance.export(format!("t{}", self.named).as_str(), ComponentTypeRef::Type(TypeBounds::Eq(unnamed)));
        self.named += 1;
        self.next()
    }

    fn resource(&mut self) -> u32 {
        if self.resource.is_none() {
            self.instance.export("thing", ComponentTypeRef::Type(TypeBounds::SubResource));
            self.resource = Some(self.next());
        }
        self.resource.unwrap()
    }

    fn value(&mut self, ty: &Made) -> ComponentValType {
        let index = match ty {
            Made::Primitive(primitive) => return ComponentValType::Primitive(*primitive),
            Made::List(element) => {
                let element = self.value(element);
                self.instance.ty().defined_type().list(element);
                self.next()
            }
            Made::Fixed(element, count) => {
                let element = self.value(element);
                self.instance.ty().defined_type().fixed_length_list(element, *count);
                self.next()
            }
            Made::Map(key, value) => {
                let value = self.value(value);
                self.instance.ty().defined_type().map(ComponentValType::Primitive(*key), value);
                self.next()
            }
            Made::Tuple(types) => {
                let types: Vec<ComponentValType> = types.iter().map(|ty| self.value(ty)).collect();
                self.instance.ty().defined_type().tuple(types);
                self.next()
            }
            Made::Record(fields) => {
                let fields: Vec<(&str, ComponentValType)> =
                    fields.iter().map(|(name, ty)| (name.as_str(), self.value(ty))).collect();
                self.instance.ty().defined_type().record(fields);
                self.name()
            }
            Made::Variant(cases) => {
                let cases: Vec<(&str, Option<ComponentValType>)> =
                    cases.iter().map(|(name, ty)| (name.as_str(), ty.as_ref().map(|ty| self.value(ty)))).collect();
                self.instance.ty().defined_type().variant(cases);
                self.name()
            }
            Made::Enum(names) => {
                self.instance.ty().defined_type().enum_type(names.iter().map(String::as_str));
                self.name()
            }
            Made::Flags(names) => {
                self.instance.ty().defined_type().flags(names.iter().map(String::as_str));
                self.name()
            }
            Made::Option(ty) => {
                let ty = self.value(ty);
                self.instance.ty().defined_type().option(ty);
                self.next()
            }
            Made::Result(ok, err) => {
                let ok = ok.as_ref().map(|ty| self.value(ty));
                let err = err.as_ref().map(|ty| self.value(ty));
                self.instance.ty().defined_type().result(ok, err);
                self.next()
            }
            Made::Stream(ty) => {
                let ty = self.value(ty);
                self.instance.ty().defined_type().stream(Some(ty));
                self.next()
            }
            Made::Own => {
                let resource = self.resource();
                self.instance.ty().defined_type().own(resource);
                self.next()
            }
            Made::Borrow => {
                let resource = self.resource();
                self.instance.ty().defined_type().borrow(resource);
                self.next()
            }
            Made::Doubling(levels) => {
                let mut below = ComponentValType::Primitive(Primitive::U8);
                for _ in 0..*levels {
                    self.instance.ty().defined_type().tuple([below, below]);
                    below = ComponentValType::Type(self.next());
                }
                return below;
            }
        };
        ComponentValType::Type(index)
    }
}
