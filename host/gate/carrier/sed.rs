//! Programs of sed: the shells they run (`e`, `s///e`), the files they read and write (`r`, `w`, `s///w`).
//!
//! A real reading of the program, command by command, since a pattern over its text is blind to half of
//! the ways to write the same: any character parts `s`, blanks and newlines may stand nearly anywhere.
//! Where versions of sed differ (a delimiter within brackets, the end of a label) both readings count,
//! and the one that shows more is taken. What is neither understood nor known is a finding.

use crate::gate::argv::{Taint, Word};
use crate::gate::glob::UNKNOWN;

use super::Carried;

/// Files that are no files: sed's own standard streams.
const STREAMS: &[&str] = &["/dev/stdout", "/dev/stderr", "/dev/stdin"];

/// What sed's programs in this command line do beyond printing.
pub(super) fn by_sed(words: &[Word]) -> Vec<Carried> {
    let mut all = vec![];
    for program in programs(words) {
        for carried in effects_of(&program) {
            if !all.contains(&carried) {
                all.push(carried);
            }
        }
    }
    all
}

/// The programs that the words hold: the values of `-e`, joined by newlines, or else the first operand.
fn programs(words: &[Word]) -> Vec<Word> {
    let mut given: Vec<Word> = vec![];
    let mut operands: Vec<&Word> = vec![];
    let mut has_script = false;
    let mut may_have_ending = false;
    let mut rest = words.iter().skip(1);
    while let Some(word) = rest.next() {
        let text = word.text.as_str();
        if text == "--" {
            operands.extend(rest.by_ref());
            break;
        }
        if let Some(long) = text.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let is_value = |full: &str, least: usize| name.len() >= least && full.starts_with(name);
            if is_value("expression", 1) {
                match value {
                    Some(value) => given.push(Word { text: value.to_owned(), ..word.clone() }),
                    None => given.extend(rest.next().cloned()),
                }
            } else if is_value("file", 2) || is_value("line-length", 1) {
                has_script |= is_value("file", 2);
                if value.is_none() {
                    rest.next();
                }
            }
            continue;
        }
        let Some(letters) = text.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            operands.push(word);
            continue;
        };
        for (at, letter) in letters.char_indices() {
            let attached = &letters[at + letter.len_utf8()..];
            match letter {
                'e' if attached.is_empty() => given.extend(rest.next().cloned()),
                'e' => given.push(Word { text: attached.to_owned(), ..word.clone() }),
                'f' => {
                    has_script = true;
                    if attached.is_empty() {
                        rest.next();
                    }
                }
                // BSD's `-l` stands alone; GNU's takes a number.
                'l' => {
                    let is_number = |word: &&Word| word.text.bytes().all(|byte| byte.is_ascii_digit());
                    if attached.is_empty() && rest.clone().next().as_ref().is_some_and(is_number) {
                        rest.next();
                    }
                }
                // What is attached is the ending of the copy.
                'i' | 'I' => may_have_ending |= attached.is_empty(),
                _ => continue,
            }
            break;
        }
    }
    if !given.is_empty() {
        let texts: Vec<&str> = given.iter().map(|word| word.text.as_str()).collect();
        let taint = given.iter().map(|word| word.taint).max().unwrap_or_default();
        return vec![Word { text: texts.join("\n"), is_glob: false, taint }];
    }
    if has_script {
        return vec![];
    }
    // BSD's `-i` takes the next word as the ending of the copy: there the program is the word behind.
    let is_ending = |word: &&&Word| may_have_ending && (word.text.is_empty() || word.text.starts_with('.'));
    let count = if operands.first().as_ref().is_some_and(is_ending) { 2 } else { 1 };
    let skip = usize::from(count == 2 && operands.len() > 1);
    operands.into_iter().skip(skip).take(1).cloned().collect()
}

/// Why a program could not be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// A command of it is one that only the run will tell.
    Unknown,
    /// It is no program of sed.
    Syntax,
}

fn effects_of(program: &Word) -> Vec<Carried> {
    let noted = |finding| Carried::Noted { finding, detail: format!("sed: {}", program.text) };
    let mut all = vec![];
    // A number or a text that the environment sets is data in its place; what a command prints is not.
    if program.text.contains(UNKNOWN) && program.taint > Taint::None {
        all.push(noted("dynamic_code"));
    }
    let mut faults = vec![];
    for has_brackets in [true, false] {
        let mut reader = Reader { rest: &program.text, has_brackets, found: vec![] };
        let result = reader.program();
        all.append(&mut reader.found);
        faults.extend(result.err());
    }
    if faults.contains(&Fault::Unknown) {
        all.push(noted("dynamic_code"));
    } else if faults.len() == 2 {
        all.push(noted("unparsed"));
    }
    all
}

struct Reader<'p> {
    rest: &'p str,
    /// A delimiter within brackets is one of the bracket's characters.
    has_brackets: bool,
    found: Vec<Carried>,
}

impl<'p> Reader<'p> {
    fn program(&mut self) -> Result<(), Fault> {
        loop {
            self.skip(|c| c.is_whitespace() || c == ';');
            if self.rest.is_empty() {
                return Ok(());
            }
            self.addresses()?;
            self.skip(|c| c.is_whitespace() || c == '!');
            let command = self.next().ok_or(Fault::Syntax)?;
            self.command(command)?;
        }
    }

    fn command(&mut self, command: char) -> Result<(), Fault> {
        match command {
            UNKNOWN => Err(Fault::Unknown),
            '{' => Ok(()),
            '#' => {
                self.line();
                Ok(())
            }
            '=' | 'd' | 'D' | 'g' | 'G' | 'h' | 'H' | 'n' | 'N' | 'p' | 'P' | 'x' | 'z' | 'F' | '}' => self.end(),
            'l' | 'L' | 'q' | 'Q' => {
                self.skip(|c| c == ' ' || c == '\t' || c.is_ascii_digit() || c == UNKNOWN);
                self.end()
            }
            'b' | 't' | 'T' | ':' | 'v' => {
                self.skip(|c| c == ' ' || c == '\t');
                let label = self.take(|c| !c.is_whitespace() && c != ';' && c != '}');
                if label.contains(UNKNOWN) { Err(Fault::Unknown) } else { Ok(()) }
            }
            'a' | 'i' | 'c' => {
                self.text();
                Ok(())
            }
            'e' => {
                let (code, is_plain) = self.text();
                self.runs(Some(code).filter(|code| is_plain && !code.trim().is_empty()));
                Ok(())
            }
            'r' | 'R' => {
                let path = self.line().trim();
                self.touches("file_read", path);
                Ok(())
            }
            'w' | 'W' => {
                let path = self.line().trim();
                self.touches("file_write", path);
                Ok(())
            }
            'y' => {
                let delimiter = self.delimiter()?;
                self.section(delimiter, false)?;
                self.section(delimiter, false)?;
                self.end()
            }
            's' => self.substitution(),
            _ => Err(Fault::Syntax),
        }
    }

    fn substitution(&mut self) -> Result<(), Fault> {
        let delimiter = self.delimiter()?;
        self.section(delimiter, true)?;
        self.section(delimiter, false)?;
        loop {
            match self.peek() {
                Some('g' | 'p' | 'i' | 'I' | 'm' | 'M' | '0'..='9') => drop(self.next()),
                Some('e') => {
                    self.next();
                    self.runs(None);
                }
                Some('w') => {
                    self.next();
                    let path = self.line().trim();
                    self.touches("file_write", path);
                    return Ok(());
                }
                _ => return self.end(),
            }
        }
    }

    fn addresses(&mut self) -> Result<(), Fault> {
        let first = self.address()?;
        self.blanks();
        if first && self.peek() == Some(',') {
            self.next();
            self.blanks();
            self.skip(|c| c == '+' || c == '~');
            self.address()?;
            self.blanks();
        }
        // Alone it may be anything at all; in front of a command it is a number.
        let is_command = self.peek().is_some_and(|c| !matches!(c, ';' | '\n' | '}' | UNKNOWN));
        if first && !is_command { Err(Fault::Unknown) } else { Ok(()) }
    }

    fn address(&mut self) -> Result<bool, Fault> {
        match self.peek() {
            Some('0'..='9' | UNKNOWN) => {
                self.skip(|c| c.is_ascii_digit() || c == UNKNOWN);
                self.blanks();
                if self.peek() == Some('~') {
                    self.next();
                    self.skip(|c| c.is_ascii_digit() || c == UNKNOWN || c == ' ');
                }
            }
            Some('$') => drop(self.next()),
            Some('/' | '\\') => {
                let delimiter = if self.next() == Some('\\') { self.delimiter()? } else { '/' };
                self.section(delimiter, true)?;
                self.skip(|c| matches!(c, 'I' | 'M' | ' '));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What stands before the next delimiter.
    fn section(&mut self, delimiter: char, is_pattern: bool) -> Result<(), Fault> {
        while let Some(c) = self.next() {
            if c == delimiter {
                return Ok(());
            }
            if c == '\\' {
                self.next().ok_or(Fault::Syntax)?;
            } else if c == '[' && is_pattern && self.has_brackets {
                self.bracket()?;
            }
        }
        Err(Fault::Syntax)
    }

    /// The rest of a bracket expression: `[^]/[:alpha:]]`.
    fn bracket(&mut self) -> Result<(), Fault> {
        if self.peek() == Some('^') {
            self.next();
        }
        if self.peek() == Some(']') {
            self.next();
        }
        while let Some(c) = self.next() {
            match (c, self.peek()) {
                (']', _) => return Ok(()),
                ('[', Some(kind @ (':' | '.' | '='))) => {
                    let end = [kind, ']'].iter().collect::<String>();
                    let at = self.rest[kind.len_utf8()..].find(&end).ok_or(Fault::Syntax)?;
                    self.rest = &self.rest[kind.len_utf8() + at + end.len()..];
                }
                _ => {}
            }
        }
        Err(Fault::Syntax)
    }

    fn delimiter(&mut self) -> Result<char, Fault> {
        match self.next() {
            Some(UNKNOWN) => Err(Fault::Unknown),
            Some('\n' | '\\') | None => Err(Fault::Syntax),
            Some(c) => Ok(c),
        }
    }

    /// The text of `a`, `i`, `c` and `e`: up to a newline that no backslash stands before. Whether it
    /// holds no backslash of its own, which sed would take out.
    fn text(&mut self) -> (String, bool) {
        self.blanks();
        if self.peek() == Some('\\') {
            self.next();
            self.blanks();
            if self.peek() == Some('\n') {
                self.next();
            }
        }
        let (mut text, mut is_plain) = (String::new(), true);
        while let Some(c) = self.next() {
            match c {
                '\n' => break,
                '\\' => {
                    is_plain = false;
                    text.extend(self.next());
                }
                c => text.push(c),
            }
        }
        (text, is_plain)
    }

    /// A command ends at a semicolon, a newline, a brace or a comment.
    fn end(&mut self) -> Result<(), Fault> {
        self.skip(|c| c == ' ' || c == '\t' || c == '\r');
        match self.peek() {
            None | Some('}' | '#') => Ok(()),
            Some(';' | '\n') => {
                self.next();
                Ok(())
            }
            Some(UNKNOWN) => Err(Fault::Unknown),
            Some(_) => Err(Fault::Syntax),
        }
    }

    /// A shell runs: this text, or what only the run will tell.
    fn runs(&mut self, code: Option<String>) {
        let detail = code.as_deref().map_or_else(|| "sed runs what it reads".to_owned(), |code| format!("sed: {code}"));
        self.found.push(Carried::Noted { finding: "runs_commands", detail });
        self.found.extend(code.map(|code| Carried::Piped { code: Word::plain(code) }));
    }

    fn touches(&mut self, act: &'static str, path: &str) {
        if !path.is_empty() && !STREAMS.contains(&path) {
            self.found.push(Carried::Touched { act, path: Word::plain(path) });
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn blanks(&mut self) {
        self.skip(|c| c == ' ' || c == '\t');
    }

    fn skip(&mut self, is_skipped: impl Fn(char) -> bool) {
        self.take(is_skipped);
    }

    fn take(&mut self, is_taken: impl Fn(char) -> bool) -> &'p str {
        let end = self.rest.find(|c| !is_taken(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn line(&mut self) -> &'p str {
        let line = self.take(|c| c != '\n');
        self.next();
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(words: &[&str]) -> Vec<String> {
        let words: Vec<Word> = words.iter().map(|text| Word::plain(*text)).collect();
        let name = |carried: &Carried| match carried {
            Carried::Noted { finding, .. } => (*finding).to_owned(),
            Carried::Touched { act, path } => format!("{act} {}", path.text),
            other => other.summary(),
        };
        by_sed(&words).iter().map(name).collect()
    }

    #[test]
    fn a_shell_is_seen_in_every_form_of_the_command() {
        for program in [
            "1eid",
            "1e id",
            "p;eid",
            "/x/eid",
            "{eid}",
            "1e\\\nid",
            "\\%x%e id",
            "/x/I e id",
            "/x/,/y/e id",
            "1,+3!e id",
            "$e id",
            "0~4eid",
            "/a;b/{s/x/y/;e id\n}",
            "s/a/id/e",
            "s/a/id/ge",
            "s/a/id/2Ie;p",
            "sxaxidxe",
            "s.a.id.e",
            "s?a?id?e",
            "s\"a\"id\"e",
            "s a id e",
            "s/[/]/id/e",
            "s|a\\|b|id|e",
            "y/abc/xyz/;e id",
            "a text\ne id",
            "r file\ne id",
            "# note\ne id",
            ":a;N;$!ba;e id",
            "s/a/b/w out\ne id",
            "e",
        ] {
            assert!(seen(&["sed", program, "f"]).contains(&"runs_commands".to_owned()), "{program}");
        }
        assert!(seen(&["sed", "-n", "-e", "p", "-e", "eid", "f"]).contains(&"runs_commands".to_owned()));
        assert!(seen(&["sed", "-nep", "--expr=eid", "f"]).contains(&"runs_commands".to_owned()));
        assert!(seen(&["sed", "f", "-e", "eid"]).contains(&"runs_commands".to_owned()));
        assert!(seen(&["sed", "-i", "", "eid", "f"]).contains(&"runs_commands".to_owned()));
        assert!(seen(&["sed", "1e rm -rf /x", "f"]).iter().any(|seen| seen.ends_with("rm -rf /x")));
    }

    #[test]
    fn plain_programs_are_plain() {
        for program in [
            "1,20p",
            "s/a/b/g; /x/d",
            "s|/a|/b|",
            "s/[^/]*$//",
            "s/e/w/",
            "/error/,/end/{/x/!d;p}",
            "$!N;P;D",
            "/^#/d;/^$/d",
            ":a;N;$!ba;s/\\n/ /g",
            "y/abc/xyz/",
            "5q",
            "2i\\\nhello; e id",
            "a e id",
            "1!G;h;$!d",
            "s/\\(.*\\)@\\(.*\\)/\\2 at \\1/",
            "s,x,y,3gp",
            "/a/{n;s/b/c/}",
            "1~2d",
            "/start/,+3d",
            "s/a/b/;ta;s/c/d/;:a",
            "\\|/usr|d",
            "=",
            "l 20",
            "s/[[:space:]]*$//",
            "s/[]e/]/x/g",
            "# e id",
            "w /dev/stdout",
            "",
        ] {
            assert!(seen(&["sed", "-n", program, "f"]).is_empty(), "{program} {:?}", seen(&["sed", program, "f"]));
        }
    }

    #[test]
    fn files_are_read_and_written() {
        assert_eq!(seen(&["sed", "/a/w out"]), ["file_write out"]);
        assert_eq!(seen(&["sed", "sxaxbxw .bashrc"]), ["file_write .bashrc"]);
        assert_eq!(seen(&["sed", "r /etc/shadow"]), ["file_read /etc/shadow"]);
        assert_eq!(seen(&["sed", "/x/{R in\n}"]), ["file_read in"]);
        assert_eq!(seen(&["sed", "1W a;b"]), ["file_write a;b"]);
    }

    #[test]
    fn what_only_the_run_will_tell_is_code_unless_it_is_a_number_or_data() {
        let unknown = UNKNOWN.to_string();
        let known = |program: &str| program.replace('@', &unknown);
        for program in ["@", "@;p", "s/a/b/@", "1@", "/x/@", "b@", "s@a@b@", "p;@"] {
            assert_eq!(seen(&["sed", &known(program)]), ["dynamic_code"], "{program}");
        }
        for program in ["@,@p", "@q", "1,@d", "s/a/@/", "s|@|b|g", "/@/d", "a @", "@!d"] {
            assert!(seen(&["sed", &known(program)]).is_empty(), "{program}");
        }
        let computed = Word { text: known("@p"), is_glob: false, taint: Taint::Computed };
        assert_eq!(by_sed(&[Word::plain("sed"), computed]).len(), 1);
        assert_eq!(seen(&["sed", "s/a"]), ["unparsed"]);
    }
}
