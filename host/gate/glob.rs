//! Patterns over paths and words: `*`, `?`, `[a-z]`, `{a,b}` and `**`.
//!
//! In a path pattern `*` and `?` stay within one folder, `**` crosses folders, and `**/` also stands
//! for no folder at all. In a word pattern `*` crosses everything. A word of a script may itself be a
//! pattern that the shell has yet to expand: [`Globs::overlaps`] says whether the two can meet.

use std::sync::OnceLock;

use regex::Regex;

/// What stands for a part of a word that only the run will tell.
///
/// An object replacement character: no name of a real file or program holds it by accident, and
/// where one does, it is treated as unknown, which is the careful reading.
pub(crate) const UNKNOWN: char = '\u{FFFC}';

/// Longest text that is compared with a pattern: PATH_MAX. Danger: quadratic work on a word of a megabyte.
const TEXT_BYTES_MAX: usize = 4096;
/// Alternatives that the braces of one pattern may stand for.
const ALTERNATIVES_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Char(char),
    /// One character, not a `/`.
    One,
    /// Characters, none of them a `/`.
    Star,
    /// Any characters; `**/` also stands for nothing.
    Globstar,
    /// Any characters, in a pattern over words.
    Any,
    Set {
        ranges: Vec<(char, char)>,
        is_negated: bool,
    },
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    alternatives: Vec<Alternative>,
}

#[derive(Clone, Debug)]
struct Alternative {
    tokens: Vec<Token>,
    /// The longest run of plain characters: a text without it does not match.
    literal: String,
}

impl Glob {
    /// A pattern over paths.
    ///
    /// # Errors
    /// What is wrong with the pattern, in words.
    pub(crate) fn path(pattern: &str) -> Result<Self, String> {
        Self::compile(pattern, Token::Star)
    }

    /// A pattern over single words, where `*` crosses `/` as well.
    ///
    /// # Errors
    /// What is wrong with the pattern, in words.
    pub(crate) fn word(pattern: &str) -> Result<Self, String> {
        Self::compile(pattern, Token::Any)
    }

    fn compile(pattern: &str, star: Token) -> Result<Self, String> {
        let mut texts = vec![];
        expand_braces(pattern, &mut texts)?;
        let alternatives = texts
            .iter()
            .map(|text| {
                let tokens = tokens_of(text, &star)?;
                let literal = longest_literal(&tokens);
                Ok(Alternative { tokens, literal })
            })
            .collect::<Result<_, String>>()?;
        Ok(Self { alternatives })
    }

    /// Whether it matches the whole of `text`.
    pub(crate) fn matches(&self, text: &str) -> bool {
        text.len() <= TEXT_BYTES_MAX
            && self.alternatives.iter().any(|alternative| {
                text.contains(alternative.literal.as_str()) && matches_from(&alternative.tokens, text)
            })
    }
}

/// Many path patterns at once. A text that holds none of their plain parts is done with in one pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Globs {
    /// Patterns whose plain part is too short to tell anything.
    always: Vec<Alternative>,
    filtered: Vec<Alternative>,
    filter: OnceLock<Option<Regex>>,
}

impl Globs {
    /// # Errors
    /// What is wrong with a pattern, in words.
    pub(crate) fn paths(patterns: &[String]) -> Result<Self, String> {
        const LITERAL_BYTES_MIN: usize = 3;
        let mut globs = Self::default();
        for pattern in patterns {
            for alternative in Glob::path(pattern)?.alternatives {
                let is_telling = alternative.literal.len() >= LITERAL_BYTES_MIN;
                if is_telling { &mut globs.filtered } else { &mut globs.always }.push(alternative);
            }
        }
        Ok(globs)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.always.is_empty() && self.filtered.is_empty()
    }

    /// Whether one of them matches the whole of `text`.
    pub(crate) fn matches(&self, text: &str) -> bool {
        if text.len() > TEXT_BYTES_MAX {
            return false;
        }
        let matches = |alternative: &Alternative| {
            text.contains(alternative.literal.as_str()) && matches_from(&alternative.tokens, text)
        };
        self.always.iter().any(|alternative| matches_from(&alternative.tokens, text))
            || (self.may_match(text) && self.filtered.iter().any(matches))
    }

    /// Whether some text matches both one of them and `word`, a pattern of the shell's: careful, since
    /// it takes every text that there can be for one that there is.
    pub(crate) fn overlaps(&self, word: &str) -> bool {
        self.meets(word, |_, _| true)
    }

    /// Whether `word`, a pattern of the shell's, names what one of them names: the two can meet, and not
    /// by chance alone. `*.yaml` can stand for `secrets.yaml`, as for anything; `secr*` means it.
    pub(crate) fn is_named_by(&self, word: &str) -> bool {
        self.meets(word, |own, word| !is_anywhere(own) || shares_a_name(own, word))
    }

    fn meets(&self, word: &str, is_meant: impl Fn(&[Token], &[Token]) -> bool) -> bool {
        if word.len() > TEXT_BYTES_MAX {
            return true;
        }
        let Ok(tokens) = tokens_of(word, &Token::Star) else { return self.matches(word) };
        self.always
            .iter()
            .chain(&self.filtered)
            .any(|alternative| meet(&alternative.tokens, &tokens) && is_meant(&alternative.tokens, &tokens))
    }

    fn may_match(&self, text: &str) -> bool {
        let filter = self.filter.get_or_init(|| {
            let literals: Vec<String> =
                self.filtered.iter().map(|alternative| regex::escape(&alternative.literal)).collect();
            Regex::new(&literals.join("|")).ok()
        });
        filter.as_ref().is_none_or(|filter| filter.is_match(text))
    }
}

fn expand_braces(pattern: &str, into: &mut Vec<String>) -> Result<(), String> {
    let Some(open) = pattern.find('{') else {
        if into.len() >= ALTERNATIVES_MAX {
            return Err(format!("`{pattern}` stands for more than {ALTERNATIVES_MAX} patterns"));
        }
        into.push(pattern.to_owned());
        return Ok(());
    };
    let (before, rest) = (&pattern[..open], &pattern[open + 1..]);
    let Some(close) = rest.find('}') else { return Err(format!("`{pattern}` has a `{{` without its `}}`")) };
    let (inside, after) = (&rest[..close], &rest[close + 1..]);
    if inside.contains('{') {
        return Err(format!("`{pattern}` has braces within braces"));
    }
    inside.split(',').try_for_each(|choice| expand_braces(&format!("{before}{choice}{after}"), into))
}

fn tokens_of(text: &str, star: &Token) -> Result<Vec<Token>, String> {
    let mut tokens = vec![];
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '*' if rest.peek() == Some(&'*') => {
                rest.next();
                tokens.push(if *star == Token::Any { Token::Any } else { Token::Globstar });
            }
            '*' => tokens.push(star.clone()),
            '?' => tokens.push(Token::One),
            '\\' => tokens.push(Token::Char(rest.next().unwrap_or('\\'))),
            '[' => tokens.push(set_of(&mut rest).ok_or_else(|| format!("`{text}` has a `[` without its `]`"))?),
            c => tokens.push(Token::Char(c)),
        }
    }
    Ok(tokens)
}

fn set_of(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let is_negated = rest.next_if(|c| matches!(c, '!' | '^')).is_some();
    let mut ranges = vec![];
    loop {
        let first = rest.next()?;
        if first == ']' && !ranges.is_empty() {
            return Some(Token::Set { ranges, is_negated });
        }
        if rest.peek() == Some(&'-') {
            rest.next();
            let last = rest.next()?;
            if last == ']' {
                ranges.extend([(first, first), ('-', '-')]);
                return Some(Token::Set { ranges, is_negated });
            }
            ranges.push((first, last));
        } else {
            ranges.push((first, first));
        }
    }
}

fn longest_literal(tokens: &[Token]) -> String {
    let mut longest = String::new();
    let mut run = String::new();
    for (at, token) in tokens.iter().enumerate() {
        // The `/` of `**/` may be absent from the text.
        let is_optional = at > 0 && tokens.get(at - 1) == Some(&Token::Globstar) && *token == Token::Char('/');
        match token {
            Token::Char(c) if !is_optional => run.push(*c),
            _ => run.clear(),
        }
        // The `/` before a closing `**` must be there; one char is no use as a filter anyway.
        if run.len() > longest.len() {
            longest.clone_from(&run);
        }
    }
    longest
}

fn accepts(token: &Token, c: char) -> bool {
    match token {
        Token::Char(own) => *own == c,
        Token::One => c != '/',
        Token::Set { ranges, is_negated } => {
            c != '/' && ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)) != *is_negated
        }
        Token::Star | Token::Globstar | Token::Any => false,
    }
}

fn matches_from(tokens: &[Token], text: &str) -> bool {
    let Some((token, rest)) = tokens.split_first() else { return text.is_empty() };
    match token {
        Token::Globstar => {
            if let Some((Token::Char('/'), after)) = rest.split_first() {
                // `**/x`: at the start, or after any `/`.
                if matches_from(after, text) {
                    return true;
                }
                return text.match_indices('/').any(|(at, _)| matches_from(after, &text[at + 1..]));
            }
            rest.is_empty() || (0..=text.len()).any(|at| text.is_char_boundary(at) && matches_from(rest, &text[at..]))
        }
        Token::Any => {
            rest.is_empty() || (0..=text.len()).any(|at| text.is_char_boundary(at) && matches_from(rest, &text[at..]))
        }
        Token::Star => {
            let end = text.find('/').unwrap_or(text.len());
            (0..=end).any(|at| text.is_char_boundary(at) && matches_from(rest, &text[at..]))
        }
        single => {
            let mut chars = text.chars();
            chars.next().is_some_and(|c| accepts(single, c)) && matches_from(rest, chars.as_str())
        }
    }
}

/// Whether a pattern of a rule holds in any folder: `**/name`, `**/folder/**`.
fn is_anywhere(tokens: &[Token]) -> bool {
    tokens.starts_with(&[Token::Globstar, Token::Char('/')])
}

/// Whether two patterns share a text in which a character stands that both of them spell out. Of the rule's
/// pattern an extension counts only where there is nothing but `*` before it.
fn shares_a_name(own: &[Token], word: &[Token]) -> bool {
    let part = own.iter().rposition(|token| *token == Token::Char('/')).map_or(0, |at| at + 1);
    let dot = own.iter().rposition(|token| *token == Token::Char('.')).filter(|at| *at > part);
    let spells = |tokens: &[Token]| tokens.iter().any(|token| matches!(token, Token::Char(_)));
    let end = dot.filter(|dot| spells(&own[part..*dot])).unwrap_or(own.len());
    explores(own, word, Some(&|at| at < end && own.get(at) != Some(&Token::Char('/'))))
}

/// Whether two patterns share a text.
fn meet(left: &[Token], right: &[Token]) -> bool {
    explores(left, right, None)
}

/// Reachability over pairs of positions, and, with `counts`, over whether a character at a position of the
/// left that counts has met its own like on the right. `right` is a pattern of the shell's: what does not
/// begin with a dot stands for no name that does.
fn explores(left: &[Token], right: &[Token], counts: Option<&dyn Fn(usize) -> bool>) -> bool {
    let width = right.len() + 1;
    let mut seen = vec![false; (left.len() + 1) * width * 2];
    let mut open = vec![(0, 0, counts.is_none())];
    let is_many = |token: Option<&Token>| matches!(token, Some(Token::Star | Token::Globstar));
    let begins_part = |tokens: &[Token], at: usize| at == 0 || tokens.get(at - 1) == Some(&Token::Char('/'));
    while let Some((i, j, has_met)) = open.pop() {
        if std::mem::replace(&mut seen[(i * width + j) * 2 + usize::from(has_met)], true) {
            continue;
        }
        let (a, b) = (left.get(i), right.get(j));
        if a.is_none() && b.is_none() && has_met {
            return true;
        }
        if is_many(a) {
            open.push((i + 1, j, has_met));
            // `**/` also stands for nothing.
            if a == Some(&Token::Globstar) && left.get(i + 1) == Some(&Token::Char('/')) {
                open.push((i + 2, j, has_met));
            }
        }
        if is_many(b) {
            open.push((i, j + 1, has_met));
        }
        if let (Some(a), Some(b)) = (a, b)
            && shares_a_char(a, b)
            && !(*a == Token::Char('.')
                && !matches!(b, Token::Char(_))
                && begins_part(left, i)
                && begins_part(right, j))
        {
            let is_spelled = matches!((a, b), (Token::Char(_), Token::Char(_)));
            let has_met = has_met || (is_spelled && counts.is_some_and(|counts| counts(i)));
            let next_i = if is_many(Some(a)) { i } else { i + 1 };
            let next_j = if is_many(Some(b)) { j } else { j + 1 };
            open.push((next_i, next_j, has_met));
        }
    }
    false
}

fn shares_a_char(a: &Token, b: &Token) -> bool {
    match (a, b) {
        (Token::Char(a), Token::Char(b)) => a == b,
        (Token::Char(c), other) | (other, Token::Char(c)) => match other {
            Token::Star => *c != '/',
            Token::Globstar => true,
            single => accepts(single, *c),
        },
        // Two classes are taken to share a character: the careful reading.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(pattern: &str, text: &str) -> bool {
        Glob::path(pattern).unwrap().matches(text)
    }

    #[test]
    fn a_star_stays_within_one_folder() {
        assert!(path("/etc/*.conf", "/etc/a.conf"));
        assert!(!path("/etc/*.conf", "/etc/b/a.conf"));
    }

    #[test]
    fn two_stars_cross_folders_and_may_stand_for_none() {
        assert!(path("**/.ssh/**", "/home/a/.ssh/id_rsa"));
        assert!(path("**/.ssh/**", ".ssh/x/y"));
        assert!(path("**/.env", ".env"));
        assert!(!path("**/.env", "/a/x.env"));
        assert!(path("/etc{,/**}", "/etc"));
        assert!(path("/etc{,/**}", "/etc/a/b"));
        assert!(!path("/etc{,/**}", "/etcetera"));
    }

    #[test]
    fn sets_and_single_characters_match_one_character_that_is_no_slash() {
        assert!(path("/dev/sd[a-z]?", "/dev/sda1"));
        assert!(!path("/dev/sd[!a]", "/dev/sda"));
        assert!(!path("/a?b", "/a/b"));
    }

    #[test]
    fn a_word_pattern_crosses_slashes() {
        assert!(Glob::word("of=/dev/*").unwrap().matches("of=/dev/disk/by-id/x"));
        assert!(Glob::word("*/*").unwrap().matches("a/b") && !Glob::word("*/*").unwrap().matches("a"));
    }

    #[test]
    fn a_pattern_of_the_shell_meets_a_pattern_of_a_rule() {
        let glob = Globs::paths(&["/etc{,/**}".to_owned()]).unwrap();
        assert!(glob.overlaps("/e*"));
        assert!(glob.overlaps("/???"));
        assert!(!glob.overlaps("/var/*"));
        assert!(Globs::paths(&["**/.pi/**".to_owned()]).unwrap().overlaps("/home/a/.p?/x"));
    }

    #[test]
    fn a_pattern_of_the_shell_stands_for_no_hidden_name_unless_it_says_so() {
        let glob = Globs::paths(&["**/.pi{,/**}".to_owned(), "**/.env.*".to_owned()]).unwrap();
        for word in ["/a/*", "*", "/a/?pi", "/a/[.]pi", "/a/*.py", "/a/*/x"] {
            assert!(!glob.overlaps(word), "{word}");
        }
        for word in ["/a/.*", "/a/.p?", ".e*.local", "/a/.[a-z]*"] {
            assert!(glob.overlaps(word), "{word}");
        }
    }

    #[test]
    fn a_pattern_names_a_file_where_it_spells_a_part_of_its_name() {
        let patterns =
            ["**/*.{pem,key}", "**/id_rsa", "**/secrets.{yml,yaml}", "**/.ssh/id_*", "/etc/{shadow,sudoers}"];
        let glob = Globs::paths(&patterns.map(str::to_owned)).unwrap();
        for word in ["/a/*.yaml", "/a/*", "/a/*.py", "*.tar.gz", "/a/app.log*", "/etc/*.conf", "/a/*_test"] {
            assert!(!glob.is_named_by(word), "{word}");
        }
        for word in [
            "/a/*.pem",
            "/a/*.p?m",
            "/a/id_*",
            "/a/?d_rsa",
            "/a/s*.yaml",
            "/a/secr*",
            "/h/.ssh/*",
            "/etc/*",
            "/etc/sh*",
            "/e??/s*w",
            "/a/*rsa",
        ] {
            assert!(glob.is_named_by(word), "{word}");
        }
    }

    #[test]
    fn many_patterns_match_as_each_alone() {
        let patterns: Vec<String> = ["/", "/*", "/etc{,/**}", "**/.ssh/**", "**/.env"].map(str::to_owned).into();
        let globs = Globs::paths(&patterns).unwrap();
        for text in ["/", "/x", "/etc", "/etc/a/b", "/a/.ssh/b", ".env", "/a/b", "/a/.envx", "x"] {
            let alone = patterns.iter().any(|pattern| path(pattern, text));
            assert_eq!(globs.matches(text), alone, "{text}");
        }
        assert!(globs.overlaps("/e*"));
    }

    #[test]
    fn broken_patterns_are_errors() {
        assert!(Glob::path("/a{b").is_err());
        assert!(Glob::path("/a[b").is_err());
    }

    #[test]
    fn an_endless_text_does_not_match() {
        assert!(!path("**", &"a/".repeat(TEXT_BYTES_MAX)));
    }
}
