//! Which of Rego's built-in functions a policy may call, and what keeps them small.
//!
//! The list is one of permissions: what is not in it does not compile. Absent on purpose are all that
//! reach outside or differ from call to call (`http.send`, `opa.runtime`, `rand.intn`, `time.*`,
//! `uuid.rfc4122`, `print`), and those whose result has no bound that is cheap to know.
//!
//! The virtual machine counts instructions, yet one call can be asked for a gigabyte. So every function
//! whose result can be large estimates it from its arguments first, and takes the estimate from an
//! allowance for the whole decision. To allow a function, add a row with the estimate that bounds it.

use std::cell::{Cell, RefCell};

use anyhow::{Result, anyhow};
use regorus::unstable::{BUILTINS, BuiltinFcn, Expr, Ref, Span};
use regorus::{LimitError, Value};

use super::finding;

/// What all built-in functions of one decision may produce together. The danger: a text that is joined
/// with itself thirty times over is a gigabyte, made by thirty instructions.
pub(super) const PRODUCED_BYTES_MAX: usize = 8 << 20;

/// What a value costs beside its text: the value itself and its share of the collection.
const VALUE_BYTES: usize = 48;

/// How far a value is weighed. The danger: a value that holds itself twice, forty levels deep, is small
/// in memory and endless when it is written out.
const WEIGHED_DEPTH_MAX: usize = 64;

/// How many digits the width in a format of `sprintf` may have. The danger: `%999999999d`.
const WIDTH_DIGITS_MAX: usize = 3;

/// How many digits a number may have that is read from a text or is a product. The danger: a number that is
/// squared forty times over has more digits than there is memory, made by forty instructions.
const DIGITS_MAX: usize = 400;

/// How many numbers may be multiplied at once, for the same reason.
const FACTORS_MAX: usize = 64;

/// How the size of a result is bounded by the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Estimate {
    /// A number, a truth value, or a part of an argument that is shared with it.
    Small,
    /// At most some copies of the outermost level of the arguments.
    Shallow,
    /// The arguments, written out.
    Deep,
    /// The parts of a text.
    Parts,
    Concat,
    Number,
    Product,
    Range,
    Replace,
    RegexReplace,
    Sprintf,
}

const ALLOWED: [(&str, Estimate); 78] = [
    ("abs", Estimate::Small),
    ("array.concat", Estimate::Shallow),
    ("array.reverse", Estimate::Shallow),
    ("array.slice", Estimate::Shallow),
    ("base64.decode", Estimate::Shallow),
    ("base64.encode", Estimate::Shallow),
    ("base64.is_valid", Estimate::Shallow),
    ("ceil", Estimate::Small),
    ("concat", Estimate::Concat),
    ("contains", Estimate::Small),
    ("count", Estimate::Small),
    ("endswith", Estimate::Small),
    ("floor", Estimate::Small),
    ("format_int", Estimate::Shallow),
    ("glob.match", Estimate::Small),
    ("glob.quote_meta", Estimate::Shallow),
    ("hex.decode", Estimate::Shallow),
    ("hex.encode", Estimate::Shallow),
    ("indexof", Estimate::Small),
    ("intersection", Estimate::Deep),
    ("is_array", Estimate::Small),
    ("is_boolean", Estimate::Small),
    ("is_null", Estimate::Small),
    ("is_number", Estimate::Small),
    ("is_object", Estimate::Small),
    ("is_set", Estimate::Small),
    ("is_string", Estimate::Small),
    ("json.filter", Estimate::Deep),
    ("json.is_valid", Estimate::Parts),
    ("json.marshal", Estimate::Deep),
    ("json.remove", Estimate::Deep),
    ("json.unmarshal", Estimate::Parts),
    ("lower", Estimate::Shallow),
    ("max", Estimate::Small),
    ("min", Estimate::Small),
    ("net.cidr_contains", Estimate::Small),
    ("net.cidr_is_valid", Estimate::Small),
    ("numbers.range", Estimate::Range),
    ("object.filter", Estimate::Shallow),
    ("object.get", Estimate::Small),
    ("object.keys", Estimate::Shallow),
    ("object.remove", Estimate::Shallow),
    ("object.subset", Estimate::Small),
    ("object.union", Estimate::Deep),
    ("object.union_n", Estimate::Deep),
    ("product", Estimate::Product),
    ("regex.find_n", Estimate::Parts),
    ("regex.is_valid", Estimate::Small),
    ("regex.match", Estimate::Small),
    ("regex.replace", Estimate::RegexReplace),
    ("regex.split", Estimate::Parts),
    ("replace", Estimate::Replace),
    ("round", Estimate::Small),
    ("semver.compare", Estimate::Small),
    ("semver.is_valid", Estimate::Small),
    ("sort", Estimate::Shallow),
    ("split", Estimate::Parts),
    ("sprintf", Estimate::Sprintf),
    ("startswith", Estimate::Small),
    ("strings.any_prefix_match", Estimate::Small),
    ("strings.any_suffix_match", Estimate::Small),
    ("strings.count", Estimate::Small),
    ("strings.reverse", Estimate::Shallow),
    ("substring", Estimate::Shallow),
    ("sum", Estimate::Small),
    ("to_number", Estimate::Number),
    ("trim", Estimate::Shallow),
    ("trim_left", Estimate::Shallow),
    ("trim_prefix", Estimate::Shallow),
    ("trim_right", Estimate::Shallow),
    ("trim_space", Estimate::Shallow),
    ("trim_suffix", Estimate::Shallow),
    ("type_name", Estimate::Small),
    ("union", Estimate::Deep),
    ("upper", Estimate::Shallow),
    // What the compiler makes of `|` and `&` between sets.
    ("__builtin_sets.intersection", Estimate::Shallow),
    ("__builtin_sets.union", Estimate::Shallow),
    // In the test runner alone it also stands for itself; here it is harmless: a note that nobody reads.
    ("trace", Estimate::Small),
];

/// The names that a policy may call.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ALLOWED.iter().map(|(name, _)| *name).filter(|name| !name.starts_with("__"))
}

/// The function to call in place of `name`, or nothing if policies may not call it.
pub(super) fn guarded(name: &str, arity: u16) -> Option<BuiltinFcn> {
    let at = ALLOWED.iter().position(|(allowed, _)| *allowed == name)?;
    let arity = u8::try_from(arity).ok()?;
    Some((*GUARDED.get(at)?, arity))
}

/// What stands in a program in the place of its instruction for `*`, which has no bound of its own.
pub(super) const MULTIPLY: BuiltinFcn = (multiply, 2);

fn multiply(span: &Span, parameters: &[Ref<Expr>], arguments: &[Value], _: bool) -> Result<Value> {
    if !arguments.iter().all(|value| matches!(value, Value::Number(_))) {
        let error = anyhow!("it needs numbers");
        note("*", &error);
        return Err(error);
    }
    let product = call_noted("product", span, parameters, &[Value::from(arguments.to_vec())])?;
    let is_short = product.as_i64().is_ok() || product.as_u64().is_ok();
    if is_short {
        return Ok(product);
    }
    let digits = product.to_string().len();
    if digits > DIGITS_MAX {
        return Err(LimitError::MemoryLimitExceeded { usage: digits as u64, limit: DIGITS_MAX as u64 }.into());
    }
    Ok(product)
}

/// Call a built-in function by its name as a policy would, for the test runner.
pub(super) fn call(name: &str, arguments: &[Value]) -> Result<Value> {
    let at = ALLOWED.iter().position(|(allowed, _)| *allowed == name);
    let function = at.and_then(|at| GUARDED.get(at)).ok_or_else(|| anyhow!("a policy may not call `{name}`"))?;
    let source = regorus::Source::from_contents(String::new(), String::new())?;
    let span = Span { source, line: 1, col: 1, start: 0, end: 0 };
    let placeholder = Ref::new(Expr::Null { span: span.clone(), value: Value::Null, eidx: 0 });
    let parameters = vec![placeholder; arguments.len()];
    function(&span, &parameters, arguments, true)
}

thread_local! {
    // The machine counts a rule in which a function failed as one that does not hold, without a word. For a
    // rule that denies that would be an allowance, so that the first failure is noted here.
    static FAULT: RefCell<Option<String>> = const { RefCell::new(None) };

    // A built-in function is a bare function: it has no other way to know which decision it works for.
    // A decision is made on one thread, from start to end.
    static LEFT: Cell<usize> = const { Cell::new(PRODUCED_BYTES_MAX) };
}

/// Start a decision with its full allowance.
pub(super) fn refill() {
    LEFT.set(PRODUCED_BYTES_MAX);
    FAULT.take();
}

/// The first failure of a function since this was asked last.
pub(super) fn take_fault() -> Option<String> {
    FAULT.take()
}

/// Call one of the library's functions, and note it if it fails.
fn call_noted(name: &str, span: &Span, parameters: &[Ref<Expr>], arguments: &[Value]) -> Result<Value> {
    let (function, _) = BUILTINS.get(name).ok_or_else(|| anyhow!("the function `{name}` is not there"))?;
    // Strict: else some functions answer what cannot be answered with undefined.
    function(span, parameters, arguments, true).inspect_err(|error| note(name, error))
}

fn note(name: &str, error: &anyhow::Error) {
    FAULT.with_borrow_mut(|fault| {
        fault.get_or_insert_with(|| format!("`{name}`: {}", finding::plain(&error.to_string())));
    });
}

type Guarded = fn(&Span, &[Ref<Expr>], &[Value], bool) -> Result<Value>;

/// Estimate, take it from the allowance, and only then call.
fn guard<const AT: usize>(span: &Span, parameters: &[Ref<Expr>], arguments: &[Value], _: bool) -> Result<Value> {
    let (name, estimate) = ALLOWED.get(AT).ok_or_else(|| anyhow!("there is no function {AT}"))?;
    if *estimate != Estimate::Small {
        let left = LEFT.get();
        let bytes = estimate.bytes(arguments, left).inspect_err(|error| note(name, error))?;
        if bytes > left {
            // Of all errors this kind alone ends the evaluation even where errors count as undefined.
            let limit = PRODUCED_BYTES_MAX as u64;
            let usage = limit.saturating_sub(left as u64).saturating_add(bytes as u64);
            return Err(LimitError::MemoryLimitExceeded { usage, limit }.into());
        }
        LEFT.set(left - bytes);
    }
    call_noted(name, span, parameters, arguments)
}

macro_rules! guards {
    ($($at:literal)*) => { [$(guard::<$at>),*] };
}

static GUARDED: [Guarded; ALLOWED.len()] = guards!(
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38
    39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74
    75 76 77
);

impl Estimate {
    /// An upper bound of what the call makes; it need not be exact beyond `enough`.
    fn bytes(self, arguments: &[Value], enough: usize) -> Result<usize> {
        let text = |at: usize| arguments.get(at).and_then(|value| value.as_string().ok()).map_or("", |text| text);
        Ok(match self {
            Estimate::Small => 0,
            // Three bytes for one: upper case, base 64 and hexadecimal digits stay below.
            Estimate::Shallow => arguments.iter().map(shallow).sum::<usize>().saturating_mul(3),
            // Six bytes for one: `\u0000`.
            Estimate::Deep => deep_all(arguments, enough).saturating_mul(6),
            Estimate::Parts => arguments.iter().map(shallow).sum::<usize>().saturating_mul(VALUE_BYTES),
            Estimate::Concat => {
                let count = arguments.get(1).map_or(0, length);
                deep_all(arguments, enough).saturating_add(text(0).len().saturating_mul(count))
            }
            Estimate::Number if text(0).len() > DIGITS_MAX => usize::MAX,
            Estimate::Number => 0,
            Estimate::Product if arguments.first().map_or(0, length) > FACTORS_MAX => usize::MAX,
            Estimate::Product => VALUE_BYTES,
            Estimate::Range => {
                let bound = |at: usize| arguments.get(at).and_then(|value| value.as_i64().ok());
                match (bound(0), bound(1)) {
                    (Some(from), Some(to)) => {
                        let count = usize::try_from(from.abs_diff(to)).unwrap_or(usize::MAX);
                        count.saturating_add(1).saturating_mul(VALUE_BYTES)
                    }
                    _ => usize::MAX,
                }
            }
            Estimate::Replace => {
                let (whole, old, new) = (text(0).len(), text(1).len().max(1), text(2).len());
                whole.saturating_add((whole / old).saturating_add(1).saturating_mul(new))
            }
            // Each match may be written out as often as the replacement names it.
            Estimate::RegexReplace => {
                let (whole, new) = (text(0).len(), text(2).len());
                whole.saturating_add(whole.saturating_add(1).saturating_mul(new).saturating_mul(2))
            }
            Estimate::Sprintf => {
                let format = text(0);
                check_widths(format)?;
                let widths = format.matches('%').count().saturating_mul(10_usize.pow(WIDTH_DIGITS_MAX as u32));
                deep_all(arguments, enough).saturating_mul(2).saturating_add(widths)
            }
        })
    }
}

/// Hold the widths in a format to plain, short numbers: the library reads them without a bound.
fn check_widths(format: &str) -> Result<()> {
    let mut rest = format.chars().peekable();
    while let Some(character) = rest.next() {
        if character != '%' {
            continue;
        }
        let mut digits = 0;
        while let Some(next) = rest.next_if(|next| next.is_numeric() || *next == '.') {
            if next != '.' && !next.is_ascii_digit() {
                return Err(anyhow!("a width in the format of `sprintf` must be of the digits 0 to 9"));
            }
            digits += usize::from(next != '.');
        }
        if digits > WIDTH_DIGITS_MAX {
            return Err(anyhow!("a width in the format of `sprintf` may have {WIDTH_DIGITS_MAX} digits at most"));
        }
        rest.next_if_eq(&'%');
    }
    Ok(())
}

/// The size of the outermost level.
fn shallow(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        other => length(other).saturating_mul(VALUE_BYTES).saturating_add(VALUE_BYTES),
    }
}

fn length(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len(),
        Value::Set(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    }
}

fn deep_all(values: &[Value], enough: usize) -> usize {
    let mut bytes = 0_usize;
    for value in values {
        weigh(value, 0, enough, &mut bytes);
    }
    bytes
}

/// Add the size of a value with all that it holds; stops as soon as it is more than enough.
fn weigh(value: &Value, depth: usize, enough: usize, bytes: &mut usize) {
    if *bytes > enough {
        return;
    }
    if depth > WEIGHED_DEPTH_MAX {
        *bytes = usize::MAX;
        return;
    }
    match value {
        Value::String(text) => *bytes = bytes.saturating_add(text.len() + 2),
        Value::Array(items) => {
            *bytes = bytes.saturating_add(VALUE_BYTES);
            items.iter().for_each(|item| weigh(item, depth + 1, enough, bytes));
        }
        Value::Set(items) => {
            *bytes = bytes.saturating_add(VALUE_BYTES);
            items.iter().for_each(|item| weigh(item, depth + 1, enough, bytes));
        }
        Value::Object(fields) => {
            *bytes = bytes.saturating_add(VALUE_BYTES);
            for (key, field) in fields.iter() {
                weigh(key, depth + 1, enough, bytes);
                weigh(field, depth + 1, enough, bytes);
            }
        }
        Value::Number(_) | Value::Bool(_) | Value::Null | Value::Undefined => {
            *bytes = bytes.saturating_add(VALUE_BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_allowed_function_is_one_of_the_library() {
        for (name, _) in ALLOWED {
            assert!(BUILTINS.contains_key(name), "{name}");
        }
    }

    #[test]
    fn nothing_that_reaches_outside_is_allowed() {
        for name in ["http.send", "opa.runtime", "rand.intn", "time.now_ns", "uuid.rfc4122", "print", "walk"] {
            assert!(guarded(name, 1).is_none(), "{name}");
        }
    }

    #[test]
    fn every_guard_calls_the_function_of_its_row() {
        refill();
        let lower = call("lower", &[Value::from("ABC")]).unwrap();
        assert_eq!(lower, Value::from("abc"));
        let parts = call("split", &[Value::from("a,b"), Value::from(",")]).unwrap();
        assert_eq!(parts, Value::from(vec![Value::from("a"), Value::from("b")]));
        assert_eq!(call("upper", &[Value::from("abc")]).unwrap(), Value::from("ABC"));
    }

    #[test]
    fn a_value_that_holds_itself_again_and_again_is_not_written_out() {
        refill();
        let mut value = Value::from("x");
        for _ in 0..60 {
            value = Value::from(vec![value.clone(), value]);
        }
        let error = call("json.marshal", &[value]).unwrap_err();
        assert!(error.downcast_ref::<LimitError>().is_some(), "{error}");
    }

    #[test]
    fn a_width_that_the_library_would_stumble_over_is_an_error() {
        refill();
        for format in ["%999999999999d", "%1\u{663}d", "%5000s"] {
            let arguments = [Value::from(format), Value::from(vec![Value::from(1_u64)])];
            assert!(call("sprintf", &arguments).is_err(), "{format}");
        }
        let arguments = [Value::from("%03d%%"), Value::from(vec![Value::from(7_u64)])];
        assert_eq!(call("sprintf", &arguments).unwrap(), Value::from("007%"));
    }

    #[test]
    fn the_allowance_is_for_all_calls_together() {
        refill();
        let text = Value::from("x".repeat(PRODUCED_BYTES_MAX / 8));
        assert!(call("lower", std::slice::from_ref(&text)).is_ok());
        assert!(call("lower", std::slice::from_ref(&text)).is_ok());
        assert!(call("lower", std::slice::from_ref(&text)).is_err());
        refill();
        assert!(call("lower", std::slice::from_ref(&text)).is_ok());
    }
}
