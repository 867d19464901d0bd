//! What a command prints, as far as its words and its input make that certain; and where its output
//! comes from when they do not. So `echo cm0gLXJmIC8= | base64 -d | sh` shows what would run.

use crate::gate::argv::{Taint, Word};
use crate::gate::path::base_name;

use super::fold::{Escapes, unescaped};
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
        "echo" if is_known => {
            echo(arguments).map_or_else(|| Flow::unknown(taint.max(Taint::Computed)), |text| Flow::text(text, taint))
        }
        "printf" if is_known => {
            printf(arguments).map_or_else(|| Flow::unknown(taint.max(Taint::Computed)), |text| Flow::text(text, taint))
        }
        "echo" | "printf" => Flow::unknown(taint.max(Taint::Computed)),
        name @ ("cat" | "tee" | "pv" | "sponge") if is_passing(name, arguments) => input.clone(),
        "yes" => Flow { is_endless: true, ..Flow::unknown(Taint::Computed) },
        // A number, whichever it is.
        name if prints_number(name, arguments) => Flow::text("0\n".to_owned(), Taint::None),
        "cat" | "pv"
            if arguments
                .iter()
                .any(|word| word.text.starts_with("/dev/zero") || word.text.starts_with("/dev/urandom")) =>
        {
            Flow { is_endless: true, ..Flow::unknown(Taint::Computed) }
        }
        "rev" => Flow {
            text: input.text.as_ref().filter(|_| arguments.is_empty()).map(|text| text.lines().map(reversed).collect()),
            taint: Taint::Decoded,
            is_connected: true,
            is_endless: false,
        },
        name @ ("base64" | "gbase64") if has(&["-d", "-D", "--decode", "-di", "-id"]) || clusters(arguments, 'd') => {
            let _ = name;
            let text = input.text.as_ref().filter(|_| reads_input(arguments));
            let text = text.and_then(|text| base64(text)).and_then(|bytes| String::from_utf8(bytes).ok());
            Flow { text, taint: input.taint.max(Taint::Decoded), ..Flow::unknown(Taint::None) }
        }
        "openssl" if has(&["-d"]) => {
            let is_plain = has(&["base64", "-base64", "-a"]) && !has(&["-in", "-out"]);
            let text = input.text.as_ref().filter(|_| is_plain);
            let text = text.and_then(|text| base64(text)).and_then(|bytes| String::from_utf8(bytes).ok());
            Flow { text, taint: input.taint.max(Taint::Decoded), ..Flow::unknown(Taint::None) }
        }
        "xxd" if clusters(arguments, 'r') => {
            let text = input.text.as_ref().filter(|_| clusters(arguments, 'p') && reads_input(arguments));
            let text = text.and_then(|text| hex(text));
            Flow { text, taint: input.taint.max(Taint::Decoded), ..Flow::unknown(Taint::None) }
        }
        "tr" => Flow {
            text: input.text.as_ref().filter(|_| is_known).and_then(|text| translated(arguments, text)),
            taint: input.taint.max(Taint::Decoded),
            ..Flow::unknown(Taint::None)
        },
        "base32" | "gbase32" if has(&["-d", "-D", "--decode"]) => {
            let text = input.text.as_ref().filter(|_| reads_input(arguments));
            let text = text.and_then(|text| base32(text)).and_then(|bytes| String::from_utf8(bytes).ok());
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

/// Whether all that a command line prints is a number. Only forms that can print nothing else: `seq -f` and
/// `expr x : '\(x\)'` print any text.
fn prints_number(program: &str, arguments: &[Word]) -> bool {
    const SETTINGS: &[&str] = &[
        "_NPROCESSORS_ONLN",
        "_NPROCESSORS_CONF",
        "PAGESIZE",
        "PAGE_SIZE",
        "_PHYS_PAGES",
        "_AVPHYS_PAGES",
        "LONG_BIT",
        "CLK_TCK",
        "OPEN_MAX",
        "ARG_MAX",
        "HOST_NAME_MAX",
    ];
    const DATES: &[&str] = &["+%s", "+%Y", "+%s%N", "+%H", "+%Y%m%d", "+%m", "+%d", "+%M", "+%S", "+%j", "+%u"];
    if !arguments.iter().all(Word::is_known) && !matches!(program, "date" | "grep" | "egrep" | "pgrep") {
        return false;
    }
    let texts: Vec<&str> = arguments.iter().map(|word| word.text.as_str()).collect();
    match (program, texts.as_slice()) {
        ("wc", [flag]) => {
            matches!(*flag, "-l" | "-c" | "-m" | "-w" | "-L" | "--lines" | "--bytes" | "--chars" | "--words")
        }
        ("nproc", []) => true,
        ("nproc", flags) => flags.iter().all(|flag| *flag == "--all" || flag.starts_with("--ignore=")),
        ("tput", [what]) => matches!(*what, "cols" | "lines" | "colors"),
        ("getconf", [name]) => SETTINGS.contains(name),
        ("expr", words) => words.iter().all(|word| is_number(word) || matches!(*word, "+" | "-" | "*" | "/" | "%")),
        ("id", [flag]) => matches!(*flag, "-u" | "-g" | "--user" | "--group"),
        ("id", [flag, user]) => matches!(*flag, "-u" | "-g") && !user.starts_with('-'),
        ("date", words) => {
            words.iter().filter(|word| word.starts_with('+')).count() == 1
                && words.iter().any(|word| DATES.contains(word))
        }
        ("seq", words) => !words.is_empty() && words.iter().all(|word| is_number(word) || *word == "-w"),
        // Of several files it prints the names as well.
        ("grep" | "egrep", [flag, pattern, files @ ..]) => {
            is_count(flag, "ivwxEFGhs")
                && !pattern.starts_with('-')
                && files.len() <= 1
                && arguments.iter().skip(2).all(|file| file.is_known() && !file.text.starts_with('-'))
        }
        ("pgrep", [flag, names @ ..]) => is_count(flag, "fxivon") && names.iter().all(|name| !name.starts_with('-')),
        _ => false,
    }
}

/// `-c`, alone or among flags that leave the count a count.
fn is_count(flag: &str, others: &str) -> bool {
    let letters = flag.strip_prefix('-').unwrap_or_default();
    flag == "--count"
        || (letters.contains('c') && letters.chars().all(|letter| letter == 'c' || others.contains(letter)))
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.bytes().any(|byte| byte.is_ascii_digit()) && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Whether the program prints just what it gets on its standard input.
fn is_passing(program: &str, arguments: &[Word]) -> bool {
    let is_flag = |word: &Word| match program {
        // Other flags number the lines, or show what cannot be seen.
        "cat" => word.text == "-u",
        "tee" => matches!(word.text.as_str(), "-a" | "-i" | "-p" | "-ai" | "--append"),
        "pv" => {
            word.text.starts_with('-') && word.text != "-" && word.text.bytes().skip(1).all(|b| b"qpterbn".contains(&b))
        }
        _ => false,
    };
    arguments.iter().all(|word| {
        // What `tee` writes to a device, or to a process, may come out here as well.
        let is_own_file = program == "tee" && !word.text.starts_with(['-', '/']);
        let is_far_file = program == "tee"
            && word.text.starts_with('/')
            && !["/dev/", "/proc/"].iter().any(|special| word.text.starts_with(special));
        is_flag(word) || (word.is_known() && (is_own_file || is_far_file || (program == "cat" && word.text == "-")))
    })
}

/// Whether no operand names a file to be read instead of standard input.
fn reads_input(arguments: &[Word]) -> bool {
    arguments.iter().all(|word| word.is_known() && word.text.starts_with('-'))
}

fn clusters(arguments: &[Word], letter: char) -> bool {
    arguments
        .iter()
        .any(|word| word.text.starts_with('-') && !word.text.starts_with("--") && word.text.contains(letter))
}

fn reversed(line: &str) -> String {
    line.chars().rev().chain(['\n']).collect()
}

/// None: shells print it differently. Some take escapes without being told to.
fn echo(arguments: &[Word]) -> Option<String> {
    let is_option = |word: &&Word| {
        word.text.len() > 1 && word.text.starts_with('-') && word.text[1..].bytes().all(|byte| b"neE".contains(&byte))
    };
    let options: String = arguments.iter().take_while(is_option).map(|word| word.text.as_str()).collect();
    let texts: Vec<&str> = arguments.iter().skip_while(is_option).map(|word| word.text.as_str()).collect();
    let plain = texts.join(" ");
    let mut text = if plain.contains('\\') { unescaped(&plain, Escapes::Echo) } else { plain.clone() };
    let is_last = options.chars().rfind(|c| matches!(c, 'e' | 'E'));
    if is_last != Some('e') && text != plain {
        return None;
    }
    if !(options.contains('n') || text.len() < plain.len() && plain.contains("\\c")) {
        text.push('\n');
    }
    Some(text)
}

/// `printf` with `%s`, `%b`, `%d` and `%%`; anything else is not certain.
fn printf(arguments: &[Word]) -> Option<String> {
    let (format, values) = match arguments.split_first()? {
        (dashes, rest) if dashes.text == "--" => rest.split_first()?,
        (flag, _) if flag.text == "-v" => return None,
        pair => pair,
    };
    let format = unescaped(&format.text, Escapes::Format);
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
                's' => out.push_str(values.next().map_or("", |word| word.text.as_str())),
                'd' | 'i' => {
                    let value = values.next().map_or("0", |word| word.text.as_str());
                    let digits = value.strip_prefix('-').unwrap_or(value);
                    // `'a` and `010` come out as other numbers.
                    let is_plain = digits == "0" || (!digits.starts_with('0') && is_number(digits));
                    if !is_plain || value.contains(['.', '+']) {
                        return None;
                    }
                    out.push_str(value);
                }
                'b' => {
                    let value = values.next().map_or("", |word| word.text.as_str());
                    // It reads numbers and the end in a way of its own.
                    let is_odd = |pair: &[u8]| matches!(pair, [b'\\', b'1'..=b'7' | b'c' | b'\'' | b'"' | b'?']);
                    if value.as_bytes().windows(2).any(is_odd) {
                        return None;
                    }
                    out.push_str(&unescaped(value, Escapes::Echo));
                }
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
    let text: Vec<char> = unescaped(text, Escapes::Format).chars().collect();
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
    fn only_what_reads_no_file_passes_its_input_on() {
        for line in ["cat -", "cat -u", "cat - -", "tee", "tee a.txt /tmp/b", "tee -a x", "pv -q", "base64 -d"] {
            assert!(run(line, "bHM=").is_some(), "{line}");
        }
        for line in [
            "cat - /tmp/x",
            "cat /tmp/x -",
            "cat -n",
            "cat -A -",
            "tee /dev/stdout",
            "tee /proc/self/fd/1",
            "stdbuf -oL -eL",
            "sponge x",
            "rev x",
            "base64 -d x",
            "openssl base64 -d -in x",
            "xxd -r -p x",
        ] {
            assert_eq!(run(line, "bHM="), None, "{line}");
        }
        let process = [Word::plain("tee"), Word::unknown(Taint::Computed)];
        assert_eq!(output(&process, &Flow::text("ls".to_owned(), Taint::None)).text, None);
    }

    #[test]
    fn a_number_is_what_can_be_nothing_else() {
        for line in [
            "wc -l",
            "nproc",
            "nproc --all",
            "tput cols",
            "getconf PAGESIZE",
            "expr 1 + 2",
            "id -u",
            "date -u +%s",
            "seq 1 2 9",
            "grep -c x",
            "grep -ci x f",
            "pgrep -fc nginx",
        ] {
            assert_eq!(run(line, ""), Some("0\n".to_owned()), "{line}");
        }
        for line in [
            "wc",
            "wc --files0-from=x",
            "wc --help",
            "tput -T xterm longname",
            "tput setaf 1",
            "getconf PATH",
            "expr /etc/passwd : \\(.*\\)",
            "expr /etc | 1",
            "expr substr /etc/passwd 1 9",
            "id -u -n",
            "date +%s +%F",
            "seq -f /etc/cron.d/x%.0f 1",
            "seq -s /etc 1 2",
            "grep -e -c x",
            "grep -c x /etc/passwd /etc/group",
            "grep -rc x /etc",
            "grep -c x -H /etc/passwd",
            "rg -c x",
            "pgrep -l -c x",
        ] {
            assert_eq!(run(line, ""), None, "{line}");
        }
    }

    #[test]
    fn what_shells_print_differently_is_unknown() {
        assert_eq!(run("echo a\\057b", ""), None);
        assert_eq!(run("echo a\\.b", ""), Some("a\\.b\n".to_owned()));
        assert_eq!(run("echo -e \\0101", ""), Some("A\n".to_owned()));
        assert_eq!(run("echo -e -E a\\nb", ""), None);
        assert_eq!(run("echo -e a\\cb", ""), Some("a".to_owned()));
        assert_eq!(run("printf %d 010", ""), None);
        assert_eq!(run("printf %d 'a", ""), None);
        assert_eq!(run("printf %d 12", ""), Some("12".to_owned()));
        assert_eq!(run("printf %b \\101", ""), None);
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
