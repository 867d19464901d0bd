//! Reads an interpreter's own command line: which code it runs, and with which flags. Flags are on
//! an allow-list of each interpreter, since one of them may load other code, change files in place
//! or go on with what stands on standard input.

use crate::gate::argv::Word;
use crate::gate::path::base_name;

use super::{Language, Reads, read};

/// The flags of an interpreter that change nothing about what the code can do.
struct Flags {
    names: &'static [&'static str],
    language: Language,
    /// Whole flags without a value.
    plain: &'static str,
    /// Flags whose value is the code; what follows is for the code.
    code: &'static [&'static str],
}

const ALL: &[Flags] = &[
    Flags {
        names: &["python3", "python"],
        language: Language::Python,
        plain: "-I -P -E -s -S -B -u -b -bb -O -OO -IB -Bu -uB -Wignore -Xutf8",
        code: &["-c", "-Ic", "-Bc", "-uc", "-sc", "-Ec", "-Pc", "-ISc", "-IBc"],
    },
    Flags {
        names: &["node", "nodejs"],
        language: Language::JavaScript,
        plain: "--no-warnings --no-deprecation --disable-proto=delete --disable-proto=throw --disallow-code-generation-from-strings",
        code: &["-e", "--eval", "-p", "-pe", "--print"],
    },
];

/// What the code of an interpreter's command line reads, if the line is understood and harmless;
/// `input` is what stands on standard input, if that is known.
pub(crate) fn read_line(words: &[Word], input: Option<&str>) -> Option<Reads> {
    if !words.iter().all(Word::is_known) {
        return None;
    }
    let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let (program, rest) = words.split_first()?;
    let program = base_name(program);
    if program == "perl" {
        return super::perl::read_line(rest);
    }
    let flags = ALL.iter().find(|flags| flags.names.iter().any(|name| is_version_of(program, name)))?;
    let is_plain = |word: &&&str| super::token::listed(flags.plain, word);
    let count = rest.iter().take_while(is_plain).count();
    let (first, rest) = match rest.get(count..)?.split_first() {
        Some((first, rest)) => (*first, rest),
        None => ("-", [].as_slice()),
    };
    let (code, operands, shift) = if flags.code.contains(&first) {
        let (code, operands) = rest.split_first()?;
        (*code, operands, 0)
    } else if let Some(code) = first.strip_prefix("--eval=").filter(|_| flags.language == Language::JavaScript) {
        (code, rest, 0)
    } else if first == "-" {
        // `node -` counts the dash among the arguments.
        (input?, rest, usize::from(flags.language == Language::JavaScript))
    } else {
        return None;
    };
    // Node looks for flags of its own behind the code as well.
    if flags.language == Language::JavaScript && operands.iter().any(|operand| operand.starts_with('-')) {
        return None;
    }
    let mut reads = read(flags.language, code)?;
    for number in std::mem::take(&mut reads.operands) {
        // The zeroth is the program or the flag; what is missing is an error when it runs.
        let at = number.checked_sub(1 + shift)?;
        reads.files.extend(operands.get(at).map(|path| (*path).to_owned()));
    }
    Some(reads)
}

/// Whether `program` is `name`, or `name` with a version: `python3.12`.
fn is_version_of(program: &str, name: &str) -> bool {
    let is_version = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    program.strip_prefix(name).is_some_and(is_version)
}
