//! Reading a command line: which words are flags, which are their values, and what is left.
//!
//! Flags are understood combined (`-rf`), short, long, with `=` and abbreviated as GNU's getopt
//! allows (`--recurs`). Which flags take a value is not knowable from the words; the program's
//! entry in the policy says so. Where it does not, a value reads as an operand, which shows more
//! to the rules and never less.

use std::cell::OnceCell;

use super::glob::{Glob, UNKNOWN};
use super::path::base_name;

/// Where the unknown or computed part of a word comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Taint {
    /// Plain text, or a variable that the environment sets.
    #[default]
    None,
    /// The output of a command.
    Computed,
    /// Decoded text: base64 and the like.
    Decoded,
    /// The network.
    Network,
}

/// One word of a command line, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    /// Parts that only the run will tell stand as [`UNKNOWN`].
    pub text: String,
    /// The shell still expands `*`, `?` or `[` in it.
    pub is_glob: bool,
    pub taint: Taint,
}

impl Word {
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_glob: false, taint: Taint::None }
    }

    pub(crate) fn unknown(taint: Taint) -> Self {
        Self { text: UNKNOWN.to_string(), is_glob: false, taint }
    }

    pub(crate) fn is_known(&self) -> bool {
        !self.is_glob && !self.text.contains(UNKNOWN)
    }
}

/// A flag of a command line with the value that goes with it.
#[derive(Clone, Debug)]
pub(crate) struct Flag<'a> {
    /// As written, without a value: `--force`, `-rf`.
    name: &'a str,
    value: Option<&'a str>,
    /// The letters of a cluster that are flags, not part of a value.
    letters: &'a str,
}

/// A command line, read.
#[derive(Clone, Debug)]
pub(crate) struct Argv<'a> {
    /// The program's name without its folder.
    pub program: &'a str,
    pub words: &'a [Word],
    pub flags: Vec<Flag<'a>>,
    pub operands: Vec<&'a Word>,
    /// So many operands stand before the first flag that follows an operand: the subcommand.
    pub leading: usize,
    line: OnceCell<String>,
}

impl<'a> Argv<'a> {
    /// Read `words`; `valued` are the flags that take a value.
    pub(crate) fn read(words: &'a [Word], valued: &[FlagPattern]) -> Self {
        let program = words.first().map_or("", |word| base_name(&word.text));
        let mut argv = Self { program, words, flags: vec![], operands: vec![], leading: 0, line: OnceCell::new() };
        let mut is_leading = true;
        let mut rest = words.iter().skip(1).peekable();
        while let Some(word) = rest.next() {
            let text = word.text.as_str();
            if text == "--" {
                argv.operands.extend(rest.by_ref());
                break;
            }
            if !text.starts_with('-') || text == "-" {
                argv.operands.push(word);
                argv.leading += usize::from(is_leading);
                continue;
            }
            is_leading &= argv.operands.is_empty();
            let mut flag = flag_of(text, valued);
            if flag.value.is_none() && wants_value(&flag, valued) {
                flag.value = rest.next().map(|word| word.text.as_str());
            }
            argv.flags.push(flag);
        }
        argv
    }

    pub(crate) fn has_flag(&self, patterns: &[FlagPattern]) -> bool {
        self.flags.iter().any(|flag| patterns.iter().any(|pattern| pattern.matches(flag)))
    }

    /// Whether one of these flags is given and not switched off by its value: `--dry-run=false` runs.
    pub(crate) fn says(&self, patterns: &[FlagPattern]) -> bool {
        let is_on = |flag: &Flag<'_>| {
            !matches!(flag.value, Some("false" | "none" | "no" | "0" | "off" | "False" | "f" | "F" | "FALSE"))
        };
        let mut given =
            self.flags.iter().filter(|flag| patterns.iter().any(|pattern| pattern.matches(flag))).peekable();
        given.peek().is_some() && given.all(is_on)
    }

    /// The values given to any of these flags.
    pub(crate) fn values<'s>(&'s self, patterns: &'s [FlagPattern]) -> impl Iterator<Item = &'a str> + 's {
        self.flags
            .iter()
            .filter(|flag| patterns.iter().any(|pattern| pattern.matches(flag)))
            .filter_map(|flag| flag.value)
    }

    /// All values of flags.
    pub(crate) fn all_values(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.flags.iter().filter_map(|flag| flag.value)
    }

    /// The command line as text.
    pub(crate) fn line(&self) -> &str {
        self.line.get_or_init(|| line_of(self.words))
    }
}

/// Words as one line of text.
pub(crate) fn line_of(words: &[Word]) -> String {
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    texts.join(" ")
}

fn flag_of<'a>(text: &'a str, valued: &[FlagPattern]) -> Flag<'a> {
    if let Some((name, value)) = text.split_once('=') {
        let letters = if name.starts_with("--") { "" } else { &name[1..] };
        return Flag { name, value: Some(value), letters };
    }
    if text.starts_with("--") {
        return Flag { name: text, value: None, letters: "" };
    }
    let letters = &text[1..];
    // `-ofile`: the value begins behind the letter that takes one, unless the whole is a known
    // flag of its own as in `find -name`.
    if !valued.iter().any(|pattern| matches!(pattern, FlagPattern::Single(own) if own == text)) {
        for (at, letter) in letters.char_indices() {
            let end = at + letter.len_utf8();
            if valued.contains(&FlagPattern::Short(letter)) {
                let value = Some(&letters[end..]).filter(|value| !value.is_empty());
                return Flag { name: text, value, letters: &letters[..end] };
            }
        }
    }
    Flag { name: text, value: None, letters }
}

fn wants_value(flag: &Flag<'_>, valued: &[FlagPattern]) -> bool {
    valued.iter().any(|pattern| match pattern {
        FlagPattern::Short(letter) => flag.letters.ends_with(*letter),
        pattern => pattern.matches(flag),
    })
}

/// A flag as a rule names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FlagPattern {
    /// `-f`, alone or in a cluster.
    Short(char),
    /// `--force`, in full or abbreviated.
    Long(String),
    /// `-delete`: a long name behind one dash.
    Single(String),
    /// `-get*`: all flags that begin so.
    Beginning(String),
}

impl FlagPattern {
    /// Alternatives parted by `|`: `-r|-R|--recursive`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub(crate) fn parse_all(text: &str) -> Result<Vec<Self>, String> {
        text.split('|').map(Self::parse).collect()
    }

    fn parse(text: &str) -> Result<Self, String> {
        if let Some(beginning) =
            text.strip_suffix('*').filter(|beginning| beginning.len() > 2 && beginning.starts_with('-'))
        {
            return Ok(Self::Beginning(beginning.to_owned()));
        }
        let mut letters = text.strip_prefix('-').unwrap_or_default().chars();
        match (letters.next(), letters.next()) {
            (Some('-'), Some(_)) => Ok(Self::Long(text.to_owned())),
            (Some(letter), None) if letter != '-' => Ok(Self::Short(letter)),
            (Some(letter), Some(_)) if letter != '-' => Ok(Self::Single(text.to_owned())),
            _ => Err(format!("`{text}` is no flag: write `-x`, `--long` or `-word`")),
        }
    }

    fn matches(&self, flag: &Flag<'_>) -> bool {
        match self {
            Self::Short(letter) => flag.letters.contains(*letter),
            // getopt takes any beginning that is unambiguous, down to one letter.
            Self::Long(own) => {
                own == flag.name || (flag.name.len() > 2 && flag.name.starts_with("--") && own.starts_with(flag.name))
            }
            Self::Single(own) => own == flag.name,
            Self::Beginning(own) => flag.name.starts_with(own.as_str()),
        }
    }
}

/// The words of a subcommand as a rule names them: `remote add`, `* describe-*`, `** list`.
#[derive(Clone, Debug)]
pub(crate) struct Subcommand {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    One(Glob),
    Many,
    /// `$`: nothing may follow.
    End,
}

impl Subcommand {
    /// # Errors
    /// What is wrong with the pattern.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parts = text
            .split_whitespace()
            .map(|part| match part {
                "**" => Ok(Part::Many),
                "$" => Ok(Part::End),
                part => Glob::word(part).map(Part::One),
            })
            .collect::<Result<Vec<_>, String>>()?;
        if parts.is_empty() { Err("a subcommand must not be empty".to_owned()) } else { Ok(Self { parts }) }
    }

    /// Whether the operands begin with it. With `**` the last word of the subcommand decides.
    pub(crate) fn matches(&self, argv: &Argv<'_>) -> bool {
        let leading = argv.operands.get(..argv.leading).unwrap_or_default();
        if matches!(self.parts.first(), Some(Part::Many)) {
            return (0..leading.len()).any(|at| starts_with(&self.parts[1..], &leading[at..]));
        }
        // What must end with it is held against all operands: those behind a flag count as well.
        if self.parts.iter().any(|part| matches!(part, Part::End)) {
            return starts_with(&self.parts, &argv.operands);
        }
        // Without a leading flag the rest of the operands counts too: `git stash -q drop`.
        starts_with(&self.parts, leading) || starts_with(&self.parts, &argv.operands)
    }
}

fn starts_with(parts: &[Part], words: &[&Word]) -> bool {
    let Some((part, rest)) = parts.split_first() else { return true };
    match part {
        Part::One(glob) => {
            words.split_first().is_some_and(|(word, others)| glob.matches(&word.text) && starts_with(rest, others))
        }
        Part::End => words.is_empty(),
        Part::Many => (0..=words.len()).any(|at| starts_with(rest, &words[at..])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Word> {
        line.split(' ').map(Word::plain).collect()
    }

    fn has(line: &str, flag: &str, valued: &str) -> bool {
        let valued = if valued.is_empty() { vec![] } else { FlagPattern::parse_all(valued).unwrap() };
        let words = words(line);
        Argv::read(&words, &valued).has_flag(&FlagPattern::parse_all(flag).unwrap())
    }

    #[test]
    fn flags_are_found_combined_long_and_abbreviated() {
        assert!(has("rm -vrf x", "-r|--recursive", ""));
        assert!(has("rm --recursive x", "-r|--recursive", ""));
        assert!(has("rm --recurs x", "-r|--recursive", ""));
        assert!(has("rm x -r", "-r|--recursive", ""));
        assert!(!has("rm -- -r", "-r|--recursive", ""));
        assert!(!has("git push --force-with-lease", "--force", ""));
    }

    #[test]
    fn a_value_is_not_read_as_flags() {
        assert!(has("curl -ofile u", "-f", ""));
        assert!(!has("curl -ofile u", "-f", "-o"));
        assert!(has("curl -sfo x u", "-f", "-o"));
    }

    #[test]
    fn values_follow_their_flag_in_every_form() {
        let valued = FlagPattern::parse_all("-X|--request").unwrap();
        for line in ["curl -X PUT u", "curl -XPUT u", "curl --request PUT u", "curl --request=PUT u", "curl -sX PUT u"]
        {
            let words = words(line);
            let argv = Argv::read(&words, &valued);
            assert_eq!(argv.values(&valued).collect::<Vec<_>>(), ["PUT"], "{line}");
            assert_eq!(argv.operands.len(), 1, "{line}");
        }
    }

    #[test]
    fn a_subcommand_is_read_behind_global_flags() {
        let valued = FlagPattern::parse_all("-C|--git-dir").unwrap();
        let words = words("/usr/bin/git -C /x --git-dir=y remote add origin");
        let argv = Argv::read(&words, &valued);
        assert_eq!(argv.program, "git");
        assert!(Subcommand::parse("remote add").unwrap().matches(&argv));
        assert!(!Subcommand::parse("remote").unwrap().matches(&Argv::read(&words[..1], &valued)));
    }

    #[test]
    fn stars_stand_for_words_of_a_subcommand() {
        let line = words("aws ec2 describe-instances --region x");
        let argv = Argv::read(&line, &[]);
        assert!(Subcommand::parse("* describe-*").unwrap().matches(&argv));
        let line = words("az network vnet subnet list -o table");
        let argv = Argv::read(&line, &[]);
        assert!(Subcommand::parse("** list").unwrap().matches(&argv));
        assert!(!Subcommand::parse("** table").unwrap().matches(&argv));
    }

    #[test]
    fn a_dollar_says_that_nothing_may_follow() {
        let matches = |line: &str, pattern: &str| {
            let words = words(line);
            Subcommand::parse(pattern).unwrap().matches(&Argv::read(&words, &[]))
        };
        assert!(matches("git submodule", "submodule $"));
        assert!(!matches("git submodule update", "submodule $"));
        assert!(!matches("git submodule -q update", "submodule $"));
        assert!(matches("make -k", "$"));
        assert!(!matches("make -k deploy", "$"));
    }

    #[test]
    fn a_flag_that_is_switched_off_says_nothing() {
        let says = |line: &str| {
            let words = words(line);
            Argv::read(&words, &[]).says(&FlagPattern::parse_all("-n|--dry-run").unwrap())
        };
        assert!(says("npm publish --dry-run"));
        assert!(says("make -n x"));
        assert!(!says("npm publish --dry-run=false"));
        assert!(!says("npm publish --dry-run --dry-run=false"));
        assert!(!says("npm publish"));
    }

    #[test]
    fn what_is_no_flag_is_an_error() {
        assert!(FlagPattern::parse_all("force").is_err());
        assert!(FlagPattern::parse_all("--").is_err());
    }
}
