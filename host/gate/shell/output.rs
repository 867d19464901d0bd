//! What a command prints, as far as its words and its input make that certain; and where its output
//! comes from when they do not. So `echo cm0gLXJmIC8= | base64 -d | sh` shows what would run.

use crate::gate::argv::{Taint, Word};
use crate::gate::path::base_name;

use super::fold::unescaped;
use super::scope::VALUE_BYTES_MAX;

/// What flows through a pipe, or stands on standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    /// None: only the run will tell.
    pub text: Option<String>,
    pub taint: Taint,
    /// Something is connected at all.
    pub is_connected: bool,
    /// It never ends: `/dev/zero`, `yes`.
    pub is_endless: bool,
}

impl Flow {
    pub(crate) fn text(text: String, taint: Taint) -> Self {
        let text = (text.len() <= VALUE_BYTES_MAX).then_some(text);
        Self { text, taint, is_connected: true, is_endless: false }
    }

    pub(crate) fn unknown(taint: Taint) -> Self {
        Self { text: None, taint, is_connected: true, is_endless: false }
    }
}

const NETWORK: &[&str] = &[
    "curl", "wget", "nc", "ncat", "netcat", "socat", "http", "https", "xh", "fetch", "ftp", "tftp", "telnet", "ssh",
    "lynx", "w3m", "links", "aria2c", "axel", "dig", "host", "nslookup", "websocat", "openssl",
];
const DECODERS: &[&str] = &[
    "base64", "base32", "basenc", "uudecode", "xxd", "openssl", "gunzip", "zcat", "bunzip2", "bzcat", "unxz", "xzcat",
    "gpg", "rev", "tr",
];

/// What `words` prints, given `input`.
pub(crate) fn output(words: &[Word], input: &Flow) -> Flow {
    let Some(program) = words.first() else { return input.clone() };
    let arguments = &words[1..];
    let is_known = arguments.iter().all(Word::is_known);
    let taint = arguments.iter().map(|word| word.taint).max().unwrap_or_default();
    let has = |flags: &[&str]| arguments.iter().any(|word| flags.contains(&word.text.as_str()));
    match base_name(&program.text) {
        "echo" if is_known => Flow::text(echo(arguments), taint),
        "printf" if is_known => {
            printf(arguments).map_or_else(|| Flow::unknown(taint.max(Taint::Computed)), |text| Flow::text(text, taint))
        }
        "echo" | "printf" => Flow::unknown(taint.max(Taint::Computed)),
        "cat" | "tee" | "pv" | "sponge" | "stdbuf" | "unbuffer" if is_passing(arguments) => input.clone(),
        "yes" => Flow { is_endless: true, ..Flow::unknown(Taint::Computed) },
        // A number, whichever it is.
        "wc" if arguments.iter().all(|word| word.text.starts_with('-') && word.text != "-") && has_one(arguments) => {
            Flow::text("0\n".to_owned(), Taint::None)
        }
        "nproc" | "tput" | "getconf" | "expr" => Flow::text("0\n".to_owned(), Taint::None),
        "id" if has(&["-u", "-g"]) => Flow::text("0\n".to_owned(), Taint::None),
        "date"
            if arguments
                .iter()
                .any(|word| matches!(word.text.as_str(), "+%s" | "+%Y" | "+%s%N" | "+%H" | "+%Y%m%d")) =>
        {
            Flow::text("0\n".to_owned(), Taint::None)
        }
        "grep" | "egrep" | "pgrep" | "rg" if has(&["-c", "--count"]) => Flow::text("0\n".to_owned(), Taint::None),
        "seq" if is_known => Flow::text("0\n".to_owned(), Taint::None),
        "cat" | "pv"
            if arguments
                .iter()
                .any(|word| word.text.starts_with("/dev/zero") || word.text.starts_with("/dev/urandom")) =>
        {
            Flow { is_endless: true, ..Flow::unknown(Taint::Computed) }
        }
        "rev" => Flow {
            text: input.text.as_ref().map(|text| text.lines().map(reversed).collect()),
            taint: Taint::Decoded,
            is_connected: true,
            is_endless: false,
        },
        name @ ("base64" | "gbase64") if has(&["-d", "-D", "--decode", "-di", "-id"]) || clusters(arguments, 'd') => {
            let _ = name;
            let text =
                input.text.as_ref().and_then(|text| base64(text)).and_then(|bytes| String::from_utf8(bytes).ok());
            Flow { text, taint: input.taint.max(Taint::Decoded), ..Flow::unknown(Taint::None) }
        }
        "openssl" if has(&["-d"]) => {
            let text = input.text.as_ref().filter(|_| has(&["base64", "-base64", "-a"]));
            let text = text.and_then(|text| base64(text)).and_then(|bytes| String::from_utf8(bytes).ok());
            Flow { text, taint: input.taint.max(Taint::Decoded), ..Flow::unknown(Taint::None) }
        }
        "xxd" if clusters(arguments, 'r') => {
            let text = input.text.as_ref().filter(|_| clusters(arguments, 'p')).and_then(|text| hex(text));
            Flow { text, taint: input.taint.max(Taint::Decoded), ..Flow::unknown(Taint::None) }
        }
        "tr" => Flow {
            text: input.text.as_ref().filter(|_| is_known).and_then(|text| translated(arguments, text)),
            taint: input.taint.max(Taint::Decoded),
            ..Flow::unknown(Taint::None)
        },
        "base32" | "gbase32" if has(&["-d", "-D", "--decode"]) => {
            let text =
                input.text.as_ref().and_then(|text| base32(text)).and_then(|bytes| String::from_utf8(bytes).ok());
            Flow { text, taint: input.taint.max(Taint::Decoded), ..Flow::unknown(Taint::None) }
        }
        "head" | "tail" | "sort" | "uniq" | "tac" | "nl" | "sed" | "awk" | "cut" | "gunzip" | "zcat"
            if input.is_endless =>
        {
            Flow::unknown(input.taint.max(Taint::Computed))
        }
        name if NETWORK.contains(&name) => Flow::unknown(Taint::Network),
        name if DECODERS.contains(&name) => Flow::unknown(input.taint.max(Taint::Decoded)),
        _ => Flow::unknown(input.taint.max(taint).max(Taint::Computed)),
    }
}

/// `wc -l` prints one number, `wc` several.
fn has_one(arguments: &[Word]) -> bool {
    arguments.len() == 1 && arguments.iter().all(|word| word.text.len() == 2 || word.text.starts_with("--"))
}

/// `cat` without operands (or with `-`) passes its input on; `tee` always does.
fn is_passing(arguments: &[Word]) -> bool {
    arguments.iter().all(|word| word.text.starts_with('-')) || arguments.iter().any(|word| word.text == "-")
}

fn clusters(arguments: &[Word], letter: char) -> bool {
    arguments
        .iter()
        .any(|word| word.text.starts_with('-') && !word.text.starts_with("--") && word.text.contains(letter))
}

fn reversed(line: &str) -> String {
    line.chars().rev().chain(['\n']).collect()
}

fn echo(arguments: &[Word]) -> String {
    let is_option = |word: &&Word| {
        word.text.len() > 1 && word.text.starts_with('-') && word.text[1..].bytes().all(|byte| b"neE".contains(&byte))
    };
    let options: String = arguments.iter().take_while(is_option).map(|word| word.text.as_str()).collect();
    let texts: Vec<&str> = arguments.iter().skip_while(is_option).map(|word| word.text.as_str()).collect();
    let mut text = texts.join(" ");
    if options.contains('e') {
        text = unescaped(&text);
    }
    if !options.contains('n') {
        text.push('\n');
    }
    text
}

/// `printf` with `%s`, `%b`, `%d` and `%%`; anything else is not certain.
fn printf(arguments: &[Word]) -> Option<String> {
    let (format, values) = match arguments.split_first()? {
        (dashes, rest) if dashes.text == "--" => rest.split_first()?,
        (flag, _) if flag.text == "-v" => return None,
        pair => pair,
    };
    let format = unescaped(&format.text);
    let mut out = String::new();
    let mut values = values.iter();
    loop {
        let before = values.len();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match chars.next()? {
                '%' => out.push('%'),
                's' | 'd' | 'i' => out.push_str(values.next().map_or("", |word| word.text.as_str())),
                'b' => out.push_str(&values.next().map_or_else(String::new, |word| unescaped(&word.text))),
                _ => return None,
            }
            if out.len() > VALUE_BYTES_MAX {
                return None;
            }
        }
        // The format is used again while values are left.
        if values.len() == 0 || values.len() == before {
            return Some(out);
        }
    }
}

/// `tr SET1 SET2` and `tr -d SET1` over letters, digits and ranges; anything else is not certain.
fn translated(arguments: &[Word], text: &str) -> Option<String> {
    let (sets, deletes) = match arguments {
        [flag, rest @ ..] if matches!(flag.text.as_str(), "-d" | "--delete") => (rest, true),
        rest => (rest, false),
    };
    let from = character_set(&sets.first()?.text)?;
    if deletes {
        return Some(text.chars().filter(|c| !from.contains(c)).collect());
    }
    let to = character_set(&sets.get(1)?.text)?;
    let last = *to.last()?;
    let one = |c: char| match from.iter().rposition(|own| *own == c) {
        Some(at) => to.get(at).copied().unwrap_or(last),
        None => c,
    };
    Some(text.chars().map(one).collect())
}

fn character_set(text: &str) -> Option<Vec<char>> {
    const CHARACTERS_MAX: u32 = 512;
    if text.starts_with('-') || text.contains("[:") || text.contains("[=") || text.contains("*]") {
        return None;
    }
    let text: Vec<char> = unescaped(text).chars().collect();
    let mut set = vec![];
    let mut at = 0;
    while let Some(first) = text.get(at).copied() {
        match (text.get(at + 1), text.get(at + 2)) {
            (Some('-'), Some(last)) if *last >= first => {
                if u32::from(*last) - u32::from(first) > CHARACTERS_MAX {
                    return None;
                }
                set.extend(first..=*last);
                at += 3;
            }
            _ => {
                set.push(first);
                at += 1;
            }
        }
    }
    Some(set)
}

fn base32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![];
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5) | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

/// Decode base64, both alphabets, white space ignored.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![];
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

fn hex(text: &str) -> Option<String> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    String::from_utf8(digits.chunks(2).map(pair).collect::<Option<_>>()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str, input: &str) -> Option<String> {
        let words: Vec<Word> = line.split(' ').map(Word::plain).collect();
        output(&words, &Flow::text(input.to_owned(), Taint::None)).text
    }

    #[test]
    fn what_is_certain_is_worked_out() {
        assert_eq!(run("echo -n a b", ""), Some("a b".to_owned()));
        assert_eq!(run("printf %s-%s a b", ""), Some("a-b".to_owned()));
        assert_eq!(run("base64 -d", "cm0gLXJmIC8="), Some("rm -rf /".to_owned()));
        assert_eq!(run("xxd -r -p", "6c73"), Some("ls".to_owned()));
        assert_eq!(run("rev", "sl"), Some("ls\n".to_owned()));
        assert_eq!(run("cat", "x"), Some("x".to_owned()));
    }

    #[test]
    fn what_is_not_certain_keeps_its_origin() {
        let network = output(&[Word::plain("curl"), Word::plain("u")], &Flow::default());
        assert_eq!(network, Flow::unknown(Taint::Network));
        let passed = output(&[Word::plain("sed"), Word::plain("s/a/b/")], &network);
        assert_eq!(passed.taint, Taint::Network);
        assert_eq!(output(&[Word::plain("gunzip")], &network).taint, Taint::Network);
    }
}
