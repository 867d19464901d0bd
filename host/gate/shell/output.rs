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
}

impl Flow {
    pub(crate) fn text(text: String, taint: Taint) -> Self {
        let text = (text.len() <= VALUE_BYTES_MAX).then_some(text);
        Self { text, taint, is_connected: true }
    }

    pub(crate) fn unknown(taint: Taint) -> Self {
        Self { text: None, taint, is_connected: true }
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
        "rev" => Flow {
            text: input.text.as_ref().map(|text| text.lines().map(reversed).collect()),
            taint: Taint::Decoded,
            is_connected: true,
        },
        name @ ("base64" | "gbase64") if has(&["-d", "-D", "--decode", "-di", "-id"]) || clusters(arguments, 'd') => {
            let _ = name;
            let text =
                input.text.as_ref().and_then(|text| base64(text)).and_then(|bytes| String::from_utf8(bytes).ok());
            Flow { text, taint: input.taint.max(Taint::Decoded), is_connected: true }
        }
        "openssl" if has(&["-d"]) => {
            let text = input.text.as_ref().filter(|_| has(&["base64", "-base64", "-a"]));
            let text = text.and_then(|text| base64(text)).and_then(|bytes| String::from_utf8(bytes).ok());
            Flow { text, taint: input.taint.max(Taint::Decoded), is_connected: true }
        }
        "xxd" if clusters(arguments, 'r') => {
            let text = input.text.as_ref().filter(|_| clusters(arguments, 'p')).and_then(|text| hex(text));
            Flow { text, taint: input.taint.max(Taint::Decoded), is_connected: true }
        }
        name if NETWORK.contains(&name) => Flow::unknown(Taint::Network),
        name if DECODERS.contains(&name) => Flow::unknown(input.taint.max(Taint::Decoded)),
        _ => Flow::unknown(input.taint.max(taint).max(Taint::Computed)),
    }
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
