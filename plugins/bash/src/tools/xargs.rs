//! `xargs` with real parallel slots: bashkit's runs one command after the other.
//!
//! The command lines become a script of background jobs with at most `-P` of them at a time, which
//! the shell then runs in a subshell. A single slot gives plain commands, one after the other.

use std::path::Path;

use async_trait::async_trait;
use bashkit::{Builtin, BuiltinContext, ExecResult, ExecutionPlan, Result, SubCommand, normalize_path, vfs_join};

/// Most slots for `-P 0`, which means as many as possible.
const SLOTS_MAX: usize = 32;
/// Longest command line, as GNU xargs has it.
const LINE_BYTES_MAX: usize = 128 << 10;

pub(crate) struct Xargs;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Delimiter {
    /// Blanks and newlines, with quotes and backslashes.
    Blanks,
    /// Lines, with quotes and backslashes, for `-I`.
    Lines,
    Byte(u8),
}

#[derive(Debug, PartialEq, Eq)]
struct Options {
    delimiter: Delimiter,
    end: Option<String>,
    file: Option<String>,
    replace: Option<String>,
    arguments_max: Option<usize>,
    lines_max: Option<usize>,
    bytes_max: usize,
    slots: usize,
    slot_variable: Option<String>,
    is_skipped_when_empty: bool,
    is_traced: bool,
    command: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            delimiter: Delimiter::Blanks,
            end: None,
            file: None,
            replace: None,
            arguments_max: None,
            lines_max: None,
            bytes_max: LINE_BYTES_MAX,
            slots: 1,
            slot_variable: None,
            is_skipped_when_empty: false,
            is_traced: false,
            command: Vec::new(),
        }
    }
}

#[async_trait]
impl Builtin for Xargs {
    async fn execute(&self, context: BuiltinContext<'_>) -> Result<ExecResult> {
        Ok(match script(&context).await {
            Ok(_) => ExecResult::ok(""),
            Err(text) => ExecResult::err(format!("xargs: {text}\n"), 1),
        })
    }

    async fn execution_plan(&self, context: &BuiltinContext<'_>) -> Result<Option<ExecutionPlan>> {
        let Ok(script) = script(context).await else {
            return Ok(None);
        };
        let command = SubCommand { name: "eval".to_owned(), args: vec![script], stdin: None, assignments: Vec::new() };
        Ok(Some(ExecutionPlan::Batch { commands: vec![command] }))
    }
}

async fn script(context: &BuiltinContext<'_>) -> std::result::Result<String, String> {
    let options = parse(context.args)?;
    let input = match &options.file {
        Some(file) => {
            let path = normalize_path(&vfs_join(context.cwd, Path::new(file)));
            context
                .fs
                .read_file(&path)
                .await
                .map_err(|_| format!("Cannot open input file '{file}': No such file or directory"))?
        }
        None => context.stdin_bytes().unwrap_or_default().to_vec(),
    };
    let items = items(&input, &options)?;
    let lines = command_lines(&options, &items)?;
    Ok(render(&options, &lines))
}

/// An item, and whether it is the last of its line.
#[derive(Debug, PartialEq, Eq)]
struct Item {
    text: String,
    ends_line: bool,
}

fn items(input: &[u8], options: &Options) -> std::result::Result<Vec<Item>, String> {
    let mut items = match options.delimiter {
        Delimiter::Byte(delimiter) => delimited(input, delimiter),
        Delimiter::Blanks => quoted(input, |byte| matches!(byte, b' ' | b'\t'))?,
        Delimiter::Lines => quoted(input, |_| false)?,
    };
    if let Some(end) = &options.end
        && let Some(position) = items.iter().position(|item| item.text == *end)
    {
        items.truncate(position);
    }
    Ok(items)
}

fn delimited(input: &[u8], delimiter: u8) -> Vec<Item> {
    let input = input.strip_suffix(&[delimiter]).unwrap_or(input);
    if input.is_empty() {
        return Vec::new();
    }
    let parts = input.split(|byte| *byte == delimiter);
    parts.map(|part| Item { text: String::from_utf8_lossy(part).into_owned(), ends_line: true }).collect()
}

fn quoted(input: &[u8], is_blank: impl Fn(u8) -> bool) -> std::result::Result<Vec<Item>, String> {
    let mut items: Vec<Item> = Vec::new();
    let mut current: Option<Vec<u8>> = None;
    let finish = |items: &mut Vec<Item>, current: &mut Option<Vec<u8>>, ends_line: bool| {
        if let Some(bytes) = current.take() {
            items.push(Item { text: String::from_utf8_lossy(&bytes).into_owned(), ends_line });
        } else if ends_line && let Some(last) = items.last_mut() {
            last.ends_line = true;
        }
    };
    let mut bytes = input.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\n' => finish(&mut items, &mut current, true),
            // Blanks at the start of a line belong to no item.
            blank if is_blank(blank) || (current.is_none() && matches!(blank, b' ' | b'\t')) => {
                // GNU: a blank at the end of a line joins it with the next one.
                finish(&mut items, &mut current, false);
            }
            b'\\' => {
                if let Some(next) = bytes.next() {
                    current.get_or_insert_default().push(next);
                }
            }
            quote @ (b'\'' | b'"') => {
                let text = current.get_or_insert_default();
                loop {
                    match bytes.next() {
                        Some(byte) if byte == quote => break,
                        Some(byte) if byte != b'\n' => text.push(byte),
                        _ => {
                            let name = if quote == b'"' { "double" } else { "single" };
                            return Err(format!(
                                "unmatched {name} quote; by default quotes are special to xargs unless you use the -0 option"
                            ));
                        }
                    }
                }
            }
            other => current.get_or_insert_default().push(other),
        }
    }
    finish(&mut items, &mut current, true);
    Ok(items)
}

fn command_lines(options: &Options, items: &[Item]) -> std::result::Result<Vec<Vec<String>>, String> {
    let base: Vec<String> = if options.command.is_empty() { vec!["echo".to_owned()] } else { options.command.clone() };
    if let Some(pattern) = &options.replace {
        return Ok(items
            .iter()
            .map(|item| base.iter().map(|word| word.replace(pattern.as_str(), &item.text)).collect())
            .collect());
    }
    if items.is_empty() {
        return Ok(if options.is_skipped_when_empty { Vec::new() } else { vec![base] });
    }
    let base_bytes: usize = base.iter().map(|word| word.len() + 1).sum();
    let mut lines = Vec::new();
    let (mut line, mut bytes, mut count, mut ended) = (base.clone(), base_bytes, 0, 0);
    for item in items {
        let size = item.text.len() + 1;
        let is_full = options.arguments_max.is_some_and(|most| count >= most)
            || options.lines_max.is_some_and(|most| ended >= most)
            || bytes + size > options.bytes_max;
        if is_full && count > 0 {
            lines.push(std::mem::replace(&mut line, base.clone()));
            (bytes, count, ended) = (base_bytes, 0, 0);
        }
        if bytes + size > options.bytes_max {
            return Err("argument line too long".to_owned());
        }
        line.push(item.text.clone());
        bytes += size;
        count += 1;
        ended += usize::from(item.ends_line);
    }
    lines.push(line);
    Ok(lines)
}

/// The script that runs the command lines. Its own status is that of xargs: 123 after a failure, 124
/// after a 255, which ends it at once, 126 and 127 if a command could not be run.
fn render(options: &Options, lines: &[Vec<String>]) -> String {
    let mut script =
        String::from("( __s=0; __n() { case $1 in 0) ;; 255) exit 124 ;; 126|127) exit $1 ;; *) __s=123 ;; esac; }\n");
    let is_parallel = options.slots > 1 && lines.len() > 1;
    for (number, line) in lines.iter().enumerate() {
        let words: Vec<String> = line.iter().map(|word| quote(word)).collect();
        let words = words.join(" ");
        if options.is_traced {
            script.push_str(&format!("printf '%s\\n' {} >&2\n", quote(&line.join(" "))));
        }
        let slot = options
            .slot_variable
            .as_ref()
            .map(|name| format!("{name}={} ", number % options.slots.max(1)))
            .unwrap_or_default();
        if !is_parallel {
            script.push_str(&format!("{slot}command {words} </dev/null; __n $?\n"));
            continue;
        }
        if number >= options.slots {
            script.push_str("wait -n; __n $?\n");
        }
        script.push_str(&format!("{slot}command {words} </dev/null &\n"));
    }
    if is_parallel {
        for _ in 0..options.slots.min(lines.len()) {
            script.push_str("wait -n; __n $?\n");
        }
    }
    script.push_str("exit $__s )");
    script
}

fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn parse(arguments: &[String]) -> std::result::Result<Options, String> {
    let mut options = Options::default();
    let mut position = 0;
    while let Some(argument) = arguments.get(position) {
        position += 1;
        if argument == "--" {
            break;
        }
        if let Some(long) = argument.strip_prefix("--") {
            let (name, value) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value.to_owned())));
            let letter = match name {
                "null" => '0',
                "arg-file" => 'a',
                "delimiter" => 'd',
                "eof" => 'E',
                "replace" => 'I',
                "max-lines" => 'L',
                "max-args" => 'n',
                "max-procs" => 'P',
                "max-chars" => 's',
                "no-run-if-empty" => 'r',
                "verbose" => 't',
                "exit" => 'x',
                "process-slot-var" => {
                    options.slot_variable = value;
                    continue;
                }
                _ => return Err(format!("unrecognized option '{argument}'")),
            };
            let value = match (letter, value) {
                ('I', None) => Some("{}".to_owned()),
                ('L', None) => Some("1".to_owned()),
                ('0' | 'r' | 't' | 'x', _) => None,
                (_, Some(value)) => Some(value),
                (_, None) => {
                    position += 1;
                    Some(
                        arguments
                            .get(position - 1)
                            .cloned()
                            .ok_or_else(|| format!("option '{argument}' requires an argument"))?,
                    )
                }
            };
            set(&mut options, letter, value)?;
            continue;
        }
        let Some(letters) = argument.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            position -= 1;
            break;
        };
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            let rest: String = match letter {
                '0' | 'r' | 't' | 'x' | 'o' | 'p' => {
                    set(&mut options, letter, None)?;
                    continue;
                }
                _ => letters.by_ref().collect(),
            };
            let value = match (letter, rest.is_empty()) {
                (_, false) => rest,
                ('i', true) => "{}".to_owned(),
                ('l', true) => "1".to_owned(),
                ('e', true) => String::new(),
                (_, true) => {
                    position += 1;
                    arguments
                        .get(position - 1)
                        .cloned()
                        .ok_or_else(|| format!("option requires an argument -- '{letter}'"))?
                }
            };
            set(&mut options, letter, Some(value))?;
        }
    }
    options.command = arguments.get(position..).unwrap_or_default().to_vec();
    Ok(options)
}

fn set(options: &mut Options, letter: char, value: Option<String>) -> std::result::Result<(), String> {
    let text = value.unwrap_or_default();
    let number = |least: usize| {
        let number = text.parse::<usize>().ok().filter(|number| *number >= least);
        number.ok_or_else(|| format!("invalid number \"{text}\" for -{letter} option"))
    };
    match letter {
        '0' => options.delimiter = Delimiter::Byte(0),
        'a' => options.file = Some(text),
        'd' => options.delimiter = Delimiter::Byte(delimiter(&text)?),
        'E' | 'e' => options.end = (!text.is_empty()).then_some(text),
        'I' | 'i' => {
            options.replace = Some(text);
            if options.delimiter == Delimiter::Blanks {
                options.delimiter = Delimiter::Lines;
            }
            (options.arguments_max, options.lines_max) = (None, None);
        }
        'L' | 'l' => (options.lines_max, options.arguments_max) = (Some(number(1)?), None),
        'n' => {
            let most = number(1)?;
            (options.arguments_max, options.lines_max) = (Some(most), None);
            // GNU: `-n 1` beside `-I` changes nothing, any other number undoes it.
            if most != 1 && options.replace.take().is_some() && options.delimiter == Delimiter::Lines {
                options.delimiter = Delimiter::Blanks;
            }
        }
        'P' => {
            options.slots = match number(0)? {
                0 => SLOTS_MAX,
                slots => slots.min(SLOTS_MAX),
            };
        }
        's' => options.bytes_max = number(1)?.min(LINE_BYTES_MAX),
        'r' => options.is_skipped_when_empty = true,
        't' => options.is_traced = true,
        'x' => {}
        other => return Err(format!("invalid option -- '{other}'")),
    }
    Ok(())
}

fn delimiter(text: &str) -> std::result::Result<u8, String> {
    let byte = match text.as_bytes() {
        [byte] => Some(*byte),
        b"\\n" => Some(b'\n'),
        b"\\t" => Some(b'\t'),
        b"\\0" => Some(0),
        b"\\r" => Some(b'\r'),
        b"\\\\" => Some(b'\\'),
        [b'\\', b'x', ..] => text.get(2..).and_then(|digits| u8::from_str_radix(digits, 16).ok()),
        _ => None,
    };
    byte.ok_or_else(|| format!("Invalid input delimiter specification {text}: the delimiter must be either a single character or an escape sequence starting with \\."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(arguments: &[&str], input: &str) -> Vec<Vec<String>> {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let options = parse(&arguments).unwrap();
        command_lines(&options, &items(input.as_bytes(), &options).unwrap()).unwrap()
    }

    #[test]
    fn groups_by_count() {
        assert_eq!(lines(&["-n2", "e"], "a b\nc"), [vec!["e", "a", "b"], vec!["e", "c"]]);
    }

    #[test]
    fn groups_by_line() {
        assert_eq!(lines(&["-L1", "e"], "a b\nc\n"), [vec!["e", "a", "b"], vec!["e", "c"]]);
    }

    #[test]
    fn replaces_a_whole_line() {
        assert_eq!(lines(&["-I{}", "e", "<{}>"], "a b\n  c\n"), [vec!["e", "<a b>"], vec!["e", "<c>"]]);
    }

    #[test]
    fn keeps_quoted_blanks() {
        assert_eq!(lines(&["e"], "'a b' \"c\" d\\ e"), [vec!["e", "a b", "c", "d e"]]);
    }

    #[test]
    fn runs_once_without_input_unless_told() {
        assert_eq!(lines(&[], ""), [vec!["echo"]]);
        assert!(lines(&["-r"], "").is_empty());
    }

    #[test]
    fn quotes_what_the_shell_would_read() {
        assert_eq!(quote("it's"), "'it'\\''s'");
    }
}
