//! Finds known secret values in what comes out, and puts their names in their place.
//!
//! A value is looked for as it is and in the encodings that data is carried in: base64 of both alphabets and base32
//! wherever in the encoded data it stands, hexadecimal, percent-encoding, the escapes of JSON, of HTML and of
//! programs (`\\x61`, `\\141`). In the name of a header, which knows no capitals, it is found without them. Nothing is
//! guessed: what merely looks like a secret stays. What is compressed, encrypted, or cut into pieces is not found.

use std::borrow::Cow;
use std::fmt::Write as _;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Finds the secrets of a project.
#[derive(Default)]
pub struct Scan {
    automaton: Option<AhoCorasick>,
    /// What stands for each pattern.
    names: Vec<String>,
    /// The patterns in order, to tell whether the end of a part begins one.
    sorted: Vec<Vec<u8>>,
    /// The lengths of the longest, and whether any begins with a byte.
    longest: usize,
    begins: Vec<bool>,
    /// Finds what of it can be the name of a header.
    in_names: Option<AhoCorasick>,
}

impl std::fmt::Debug for Scan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan").field("patterns", &self.names.len()).finish_non_exhaustive()
    }
}

impl Scan {
    /// Of these names with their values.
    #[must_use]
    pub fn of<'a>(secrets: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut patterns: Vec<(Vec<u8>, String)> = Vec::new();
        let mut of_names: Vec<String> = Vec::new();
        for (name, value) in secrets {
            of_names.extend(without_capitals(value));
            for form in forms(value) {
                if !patterns.iter().any(|(known, _)| *known == form) {
                    patterns.push((form, format!("[secret {name}]")));
                }
            }
        }
        if patterns.is_empty() {
            return Self::default();
        }
        let automaton =
            AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(patterns.iter().map(|(form, _)| form));
        let mut begins = vec![false; 256];
        for (form, _) in &patterns {
            if let Some(is_begin) = form.first().and_then(|byte| begins.get_mut(usize::from(*byte))) {
                *is_begin = true;
            }
        }
        let in_names = AhoCorasick::builder().ascii_case_insensitive(true).build(&of_names).ok();
        let longest = patterns.iter().map(|(form, _)| form.len()).max().unwrap_or(0);
        let (mut sorted, names): (Vec<Vec<u8>>, Vec<String>) = patterns.into_iter().unzip();
        sorted.sort_unstable();
        // Built of at most some megabytes of patterns it does not fail; if it did, nothing may come out at all.
        Self { automaton: automaton.ok(), names, sorted, longest, begins, in_names }
    }

    /// Whether there is nothing to be found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether there is one in these bytes.
    #[must_use]
    pub fn finds(&self, bytes: &[u8]) -> bool {
        match &self.automaton {
            Some(automaton) => automaton.is_match(bytes),
            None => !self.is_empty(),
        }
    }

    /// Whether there is one in the name of a header.
    #[must_use]
    pub fn finds_in_name(&self, name: &str) -> bool {
        match &self.in_names {
            Some(automaton) => automaton.is_match(name),
            None => !self.is_empty(),
        }
    }

    /// A text without secrets.
    #[must_use]
    pub fn hidden<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.hidden_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// Bytes without secrets.
    #[must_use]
    pub fn hidden_bytes<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        if self.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut out = Vec::new();
        let (rest, count) = self.replace(bytes, bytes.len(), &mut out);
        if count == 0 {
            return Cow::Borrowed(bytes);
        }
        out.extend_from_slice(bytes.get(rest..).unwrap_or_default());
        Cow::Owned(out)
    }

    /// Replace what begins before `limit`, into `out`: up to where `bytes` are done, and how many there were. Where
    /// there was none, nothing is written.
    fn replace(&self, bytes: &[u8], limit: usize, out: &mut Vec<u8>) -> (usize, u64) {
        let Some(automaton) = &self.automaton else {
            out.extend_from_slice(b"[not shown: it cannot be searched for secrets]");
            return (bytes.len(), 1);
        };
        let (mut done, mut count) = (0, 0);
        for found in automaton.find_iter(bytes) {
            if found.start() >= limit {
                break;
            }
            out.extend_from_slice(bytes.get(done..found.start()).unwrap_or_default());
            out.extend_from_slice(
                self.names.get(found.pattern().as_usize()).map_or(&b"[secret]"[..], String::as_bytes),
            );
            done = found.end();
            count += 1;
        }
        (done, count)
    }

    /// Where the end of `bytes` from `from` on begins that could become a pattern with what comes next.
    fn held_from(&self, bytes: &[u8], from: usize) -> usize {
        let first = bytes.len().saturating_sub(self.longest.saturating_sub(1)).max(from);
        (first..bytes.len())
            .find(|start| {
                let Some(tail) = bytes.get(*start..) else { return false };
                let may_begin = tail.first().and_then(|byte| self.begins.get(usize::from(*byte)));
                if may_begin != Some(&true) {
                    return false;
                }
                let at = self.sorted.partition_point(|pattern| pattern.as_slice() < tail);
                self.sorted
                    .get(at..)
                    .unwrap_or_default()
                    .iter()
                    .take(2)
                    .any(|pattern| pattern.len() > tail.len() && pattern.starts_with(tail))
            })
            .unwrap_or(bytes.len())
    }
}

impl crate::journal::Mask for Scan {
    fn finds(&self, text: &str) -> bool {
        Self::finds(self, text.as_bytes())
    }

    fn hidden<'t>(&self, text: &'t str) -> Cow<'t, str> {
        Self::hidden(self, text)
    }
}

/// Takes secrets out of what comes in parts, also where one is cut in between.
#[derive(Debug)]
pub struct Stream {
    scan: std::sync::Arc<Scan>,
    /// The end of what came, which may be the beginning of a secret. Shorter than the longest pattern.
    held: Vec<u8>,
    found: u64,
}

impl Stream {
    #[must_use]
    pub fn new(scan: std::sync::Arc<Scan>) -> Self {
        Self { scan, held: Vec::new(), found: 0 }
    }

    /// How many secrets there were so far.
    #[must_use]
    pub fn found(&self) -> u64 {
        self.found
    }

    /// The next part; what of it and of what was held back can go on.
    pub fn push(&mut self, part: &[u8]) -> Vec<u8> {
        if self.scan.is_empty() {
            return part.to_vec();
        }
        self.held.extend_from_slice(part);
        let hold = self.scan.held_from(&self.held, 0);
        let mut out = Vec::new();
        let (done, count) = self.scan.replace(&self.held, hold, &mut out);
        self.found += count;
        // A secret that was found may reach into what was to be held.
        let hold = if done > hold { self.scan.held_from(&self.held, done) } else { hold };
        out.extend_from_slice(self.held.get(done..hold).unwrap_or_default());
        self.held.drain(..hold);
        out
    }

    /// What was held back, at the end.
    pub fn finish(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        let mut out = Vec::new();
        if self.scan.is_empty() {
            return held;
        }
        let (done, count) = self.scan.replace(&held, held.len(), &mut out);
        self.found += count;
        out.extend_from_slice(held.get(done..).unwrap_or_default());
        out
    }
}

/// A value as it is, and as data carries it.
fn forms(value: &str) -> Vec<Vec<u8>> {
    let bytes = value.as_bytes();
    let mut forms: Vec<String> = vec![value.to_owned()];
    let json = json(value);
    forms.extend([
        json.replace('/', "\\/"),
        self::json(&json),
        ascii_json(value, false),
        ascii_json(value, true),
        json,
    ]);
    for apostrophe in ["&#39;", "&#x27;", "&apos;"] {
        forms.push(html(value, "&quot;", apostrophe));
        forms.push(html(value, "&#34;", apostrophe));
    }
    for (kept, is_form) in
        [("-._~", false), ("-_.!~*'()", false), ("-_.!~*'();/?:@&=+$,#", false), ("*-._", true), ("", false)]
    {
        forms.push(percent(bytes, kept, is_form, true));
        forms.push(percent(bytes, kept, is_form, false));
    }
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    forms.extend([hex.to_uppercase(), hex]);
    for before in 0..3 {
        for text in [aligned(&STANDARD_NO_PAD, bytes, before), aligned(&URL_SAFE_NO_PAD, bytes, before)] {
            // `+` and `/` and `=` are escaped where base64 stands in a form or in JSON.
            forms.extend([
                percent(text.as_bytes(), "-._~", false, true),
                percent(text.as_bytes(), "-._~", false, false),
            ]);
            forms.extend([text.replace('/', "\\/"), text]);
        }
    }
    for before in 0..5 {
        let text = base32(bytes, before);
        forms.extend([text.to_ascii_lowercase(), text]);
    }
    for text in escapes(value) {
        // Within JSON each of their backslashes is escaped once more.
        forms.extend([self::json(&text), text]);
    }
    let mut forms: Vec<Vec<u8>> = forms.into_iter().map(String::into_bytes).collect();
    forms.sort_unstable();
    forms.dedup();
    forms
}

/// The forms that lose nothing with their capitals, as far as the name of a header can hold them.
fn without_capitals(value: &str) -> Vec<String> {
    let bytes = value.as_bytes();
    let mut forms = vec![value.to_owned(), bytes.iter().map(|byte| format!("{byte:02x}")).collect()];
    forms.extend((0..5).map(|before| base32(bytes, before)));
    forms.retain(|form| http::HeaderName::from_bytes(form.as_bytes()).is_ok());
    forms
}

/// The escapes of programs and shells: of every byte, or of those alone that cannot be shown.
fn escapes(value: &str) -> Vec<String> {
    let bytes = value.as_bytes();
    let all = |escape: &dyn Fn(u8) -> String| bytes.iter().map(|byte| escape(*byte)).collect::<String>();
    let octal = |byte: u8| format!("\\{byte:03o}");
    let lower = |byte: u8| format!("\\x{byte:02x}");
    let upper = |byte: u8| format!("\\x{byte:02X}");
    let mut forms = vec![all(&octal), all(&|byte| format!("\\0{byte:03o}")), all(&lower), all(&upper)];
    for escape in [&octal as &dyn Fn(u8) -> String, &lower, &upper] {
        for quoted in ["\\", "\\\"", "\\'"] {
            forms.push(all(&|byte| match byte {
                byte if quoted.as_bytes().contains(&byte) => format!("\\{}", char::from(byte)),
                b'\n' => "\\n".to_owned(),
                b'\t' => "\\t".to_owned(),
                b'\r' => "\\r".to_owned(),
                b' '..=b'~' => char::from(byte).to_string(),
                byte => escape(byte),
            }));
        }
    }
    for is_upper in [false, true] {
        let unit = |unit: u16| if is_upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
        forms.push(value.encode_utf16().map(unit).collect());
    }
    forms
}

fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&quoted).to_owned()
}

/// As encoders write it that keep to ASCII, and escape what means something in HTML.
fn ascii_json(text: &str, is_html_safe: bool) -> String {
    let mut out = String::new();
    for c in json(text).chars() {
        if c.is_ascii() && !(is_html_safe && matches!(c, '<' | '>' | '&' | '\'')) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

fn html(text: &str, quote: &str, apostrophe: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', quote).replace('\'', apostrophe)
}

fn percent(bytes: &[u8], kept: &str, is_form: bool, is_upper: bool) -> String {
    let mut out = String::new();
    for byte in bytes {
        let c = char::from(*byte);
        if !kept.is_empty() && (c.is_ascii_alphanumeric() || kept.contains(c) && c.is_ascii()) {
            out.push(c);
        } else if is_form && c == ' ' {
            out.push('+');
        } else if is_upper {
            let _ = write!(out, "%{byte:02X}");
        } else {
            let _ = write!(out, "%{byte:02x}");
        }
    }
    out
}

/// The characters of base64 that depend on the value alone, where so many bytes (of three) stand before it.
fn aligned(engine: &impl Engine, bytes: &[u8], before: usize) -> String {
    let mut data = vec![0; before];
    data.extend_from_slice(bytes);
    let text = engine.encode(&data);
    // One byte in front fills the first character and a part of the second; two also a part of the third.
    let begin = [0, 2, 3].get(before).copied().unwrap_or(0);
    // What is left over shares its last character with what comes next.
    let end = text.len() - usize::from(!data.len().is_multiple_of(3));
    text.get(begin..end).unwrap_or_default().to_owned()
}

/// The characters of base32 that depend on the value alone, where so many bytes (of five) stand before it.
fn base32(bytes: &[u8], before: usize) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| usize::from(byte >> (7 - at % 8)) & 1);
    let first = (before * 8).div_ceil(5);
    let end = (before + bytes.len()) * 8 / 5;
    let character = |index: usize| {
        let begin = index * 5 - before * 8;
        let number = (begin..begin + 5).fold(0, |number, at| number * 2 + bit(at));
        ALPHABET.get(number).copied().map(char::from)
    };
    (first..end).filter_map(character).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    const VALUE: &str = "p/ss+w0rd\"&'<é>~ x";

    fn scan() -> Arc<Scan> {
        Arc::new(Scan::of([("token", VALUE), ("other", "abcabcabd")].into_iter()))
    }

    #[test]
    fn finds_a_value_as_it_is_and_nothing_else() {
        let scan = scan();
        assert_eq!(scan.hidden(&format!("a{VALUE}b{VALUE}")), "a[secret token]b[secret token]");
        assert!(matches!(scan.hidden("p/ss+w0rd is not all of it"), Cow::Borrowed(_)));
        assert!(Scan::default().is_empty());
    }

    #[test]
    fn finds_a_value_in_base64_wherever_it_stands() {
        let scan = scan();
        for before in 0..9 {
            for after in 0..4 {
                let data = format!("{}{VALUE}{}", "u".repeat(before), "v".repeat(after));
                for text in [STANDARD.encode(&data), URL_SAFE.encode(&data), STANDARD_NO_PAD.encode(&data)] {
                    let hidden = scan.hidden(&text);
                    assert!(hidden.contains("[secret token]"), "{before} {after} {text} {hidden}");
                }
            }
        }
    }

    #[test]
    fn finds_a_value_in_the_encodings_that_data_is_carried_in() {
        let scan = scan();
        let form: String = form_urlencoded::byte_serialize(VALUE.as_bytes()).collect();
        let json = serde_json::json!({ "a": VALUE }).to_string();
        for text in [
            json.clone(),
            serde_json::json!({ "inner": json }).to_string(),
            json.replace('/', "\\/"),
            form.clone(),
            form.to_lowercase(),
            "p%2Fss%2Bw0rd%22%26%27%3C%C3%A9%3E~%20x".into(),
            "p%2Fss%2Bw0rd%22%26'%3C%C3%A9%3E~%20x".into(),
            "p/ss+w0rd&quot;&amp;&#39;&lt;é&gt;~ x".into(),
            "p/ss+w0rd&#34;&amp;&#x27;&lt;é&gt;~ x".into(),
            "p/ss+w0rd\\\"&'<\\u00e9>~ x".into(),
            "p/ss+w0rd\\\"\\u0026\\u0027\\u003c\\u00e9\\u003e~ x".into(),
            VALUE.bytes().map(|b| format!("{b:02x}")).collect(),
            VALUE.bytes().map(|b| format!("{b:02X}")).collect(),
            VALUE.bytes().map(|b| format!("%{b:02x}")).collect(),
            VALUE.bytes().map(|b| format!("%{b:02X}")).collect(),
            VALUE.bytes().map(|b| format!("\\{b:03o}")).collect(),
            VALUE.bytes().map(|b| format!("\\0{b:03o}")).collect(),
            VALUE.bytes().map(|b| format!("\\x{b:02x}")).collect(),
            VALUE.bytes().map(|b| format!("\\x{b:02X}")).collect(),
            VALUE.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect(),
            // As git writes a path, Python bytes, and a shell what it quotes.
            "p/ss+w0rd\\\"&'<\\303\\251>~ x".into(),
            "p/ss+w0rd\"&\\'<\\xc3\\xa9>~ x".into(),
            "p/ss+w0rd\"&\\'<\\303\\251>~ x".into(),
            serde_json::json!({ "a": VALUE.bytes().map(|b| format!("\\x{b:02x}")).collect::<String>() }).to_string(),
        ] {
            assert!(scan.hidden(&text).contains("[secret token]"), "{text}");
        }
    }

    /// As RFC 4648 has it, padding included.
    fn whole_base32(bytes: &[u8]) -> String {
        let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
        let groups = bits.as_bytes().chunks(5).map(|group| {
            let group = format!("{:0<5}", String::from_utf8_lossy(group));
            char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from_str_radix(&group, 2).unwrap()])
        });
        let text: String = groups.collect();
        let padded = text.len().next_multiple_of(8);
        format!("{text:=<padded$}")
    }

    #[test]
    fn finds_a_value_in_base32_wherever_it_stands() {
        assert_eq!(whole_base32(b"foobar"), "MZXW6YTBOI======");
        let scan = scan();
        for before in 0..11 {
            for after in 0..6 {
                let text = whole_base32(format!("{}{VALUE}{}", "u".repeat(before), "v".repeat(after)).as_bytes());
                for text in [text.to_lowercase(), text] {
                    assert!(scan.hidden(&text).contains("[secret token]"), "{before} {after} {text}");
                }
            }
        }
    }

    #[test]
    fn finds_a_value_in_the_name_of_a_header_which_has_no_capitals() {
        let scan = Scan::of([("token", "AbCdEfGh-1")].into_iter());
        let hex: String = b"AbCdEfGh-1".iter().map(|byte| format!("{byte:02x}")).collect();
        for name in ["x-abcdefgh-1-y".to_owned(), format!("x-{hex}"), whole_base32(b"AbCdEfGh-1").to_lowercase()] {
            assert!(scan.finds_in_name(&name), "{name}");
        }
        assert!(!scan.finds_in_name("x-abcdefgh-2") && !Scan::default().finds_in_name("x-abcdefgh-1"));
        // In what is no name capitals count.
        assert!(!scan.finds(b"abcdefgh-1"));
        // One that cannot stand in a name is in none.
        assert!(!self::scan().finds_in_name("content-type"));
    }

    #[test]
    fn a_value_that_is_cut_between_parts_is_found_whatever_the_cut() {
        let scan = scan();
        let text = format!("one {VALUE} two abcabcabcabd three {} p/ss", STANDARD.encode(format!("xy{VALUE}z")));
        let whole = scan.hidden(&text).into_owned();
        assert_eq!(whole.matches("[secret").count(), 3, "{whole}");
        let bytes = text.as_bytes();
        for size in 1..bytes.len() {
            let mut stream = Stream::new(scan.clone());
            let mut out = Vec::new();
            for part in bytes.chunks(size) {
                out.extend(stream.push(part));
                assert!(stream.held.len() < scan.longest);
            }
            out.extend(stream.finish());
            assert_eq!(String::from_utf8_lossy(&out), whole, "{size}");
        }
    }

    #[test]
    fn holds_back_only_what_may_be_the_beginning_of_a_secret() {
        let mut stream = Stream::new(scan());
        assert_eq!(stream.push(b"data: hello\n\n"), b"data: hello\n\n");
        assert_eq!(stream.push(b"data: abcabc"), b"data: ");
        assert_eq!(stream.push(b"x"), b"abcabcx");
    }

    #[test]
    fn says_nothing_of_its_patterns() {
        assert!(!format!("{:?}", scan()).contains("w0rd"));
    }
}
