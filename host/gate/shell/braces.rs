//! Brace expansion: `a{b,c}d` and `{1..9}`, as the shell does it before anything else.
//!
//! Our own, because the parser's takes exponential time on nested braces (`{{{{{{{{` for minutes). It follows
//! the shell's own way through the text, oddities included: in `{a},b}` the first `}` closes nothing, since
//! no comma stands before it. All work is counted, and what goes beyond is told, never left out.

/// Words that one word may become. Danger: `{1..9}{1..9}{1..9}...`.
pub(crate) const WORDS_MAX: usize = 10_000;
/// Bytes that are looked at and copied for one word. Danger: braces that none closes make the work grow with
/// the square of their number, and so does a long text behind many choices.
const WORK_MAX: usize = 8 << 20;
/// Braces within braces. Danger: the stack.
const DEPTH_MAX: usize = 32;

/// The texts that `raw` stands for. `None`: there are more of them, or more braces, than are followed.
pub(crate) fn expanded(raw: &str) -> Option<Vec<String>> {
    Braces { work_left: WORK_MAX }.expanded(raw, DEPTH_MAX)
}

struct Braces {
    work_left: usize,
}

impl Braces {
    fn spend(&mut self, work: usize) -> Option<()> {
        self.work_left = self.work_left.checked_sub(work)?;
        Some(())
    }

    fn expanded(&mut self, raw: &str, depth: usize) -> Option<Vec<String>> {
        let mut texts = vec![String::new()];
        let mut rest = raw;
        while let Some((open, close)) = self.first_pair(rest)? {
            let inside = rest.get(open + 1..close)?;
            let parts = self.parts(inside)?;
            let choices = if parts.len() > 1 {
                let depth = depth.checked_sub(1)?;
                let mut choices = vec![];
                for part in parts {
                    choices.extend(self.expanded(part, depth)?);
                }
                choices
            } else {
                // Dots between what is no number and no letter: the braces stand for themselves.
                sequence_of(inside)?.unwrap_or_else(|| vec![format!("{{{inside}}}")])
            };
            texts = self.joined(&texts, rest.get(..open)?, &choices)?;
            rest = rest.get(close + 1..)?;
        }
        self.joined(&texts, rest, &[String::new()])
    }

    /// Each of the texts with each of the choices behind it.
    fn joined(&mut self, texts: &[String], between: &str, choices: &[String]) -> Option<Vec<String>> {
        let count = texts.len().checked_mul(choices.len()).filter(|count| *count <= WORDS_MAX)?;
        let bytes = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
        self.spend(bytes(texts).checked_mul(choices.len())?)?;
        self.spend(bytes(choices).checked_mul(texts.len())?)?;
        self.spend((between.len() + 1).checked_mul(count)?)?;
        Some(
            texts
                .iter()
                .flat_map(|text| choices.iter().map(move |choice| format!("{text}{between}{choice}")))
                .collect(),
        )
    }

    /// Where the first braces that expand open and close.
    #[allow(clippy::option_option)]
    fn first_pair(&mut self, raw: &str) -> Option<Option<(usize, usize)>> {
        let bytes = raw.as_bytes();
        let last_close = bytes.iter().rposition(|byte| *byte == b'}').unwrap_or(0);
        self.spend(bytes.len() - last_close.min(bytes.len()))?;
        let mut at = 0;
        while at < last_close {
            let is_empty = at == 0 && bytes.get(1) == Some(&b'}');
            if bytes.get(at) == Some(&b'{')
                && !is_empty
                && let Some(close) = self.close_of(bytes, at + 1, last_close)?
            {
                return Some(Some((at, close)));
            }
            let next = behind(bytes, at);
            self.spend(next - at)?;
            at = next;
        }
        Some(None)
    }

    /// The brace that closes what was opened before `from`: one with a comma, or dots, before it.
    #[allow(clippy::option_option)]
    fn close_of(&mut self, bytes: &[u8], from: usize, last_close: usize) -> Option<Option<usize>> {
        let mut level = 0usize;
        let mut separates = false;
        let mut at = from;
        while at <= last_close {
            match bytes.get(at) {
                Some(b'}') if level == 0 && separates => return Some(Some(at)),
                Some(b'}') => level = level.saturating_sub(1),
                Some(b'{') => level += 1,
                Some(b',') if level == 0 => separates = true,
                Some(b'.') if level == 0 && bytes.get(at + 1) == Some(&b'.') && bytes.get(at + 2) != Some(&b'}') => {
                    separates = true;
                }
                _ => {}
            }
            let next = behind(bytes, at);
            self.spend(next - at)?;
            at = next;
        }
        Some(None)
    }

    /// What stands between the commas.
    fn parts<'r>(&mut self, inside: &'r str) -> Option<Vec<&'r str>> {
        let bytes = inside.as_bytes();
        self.spend(bytes.len())?;
        let mut parts = vec![];
        let (mut level, mut start, mut at) = (0usize, 0, 0);
        while at < bytes.len() {
            match bytes.get(at) {
                Some(b'{') => level += 1,
                Some(b'}') => level = level.saturating_sub(1),
                Some(b',') if level == 0 => {
                    parts.push(inside.get(start..at)?);
                    start = at + 1;
                }
                _ => {}
            }
            at = behind(bytes, at);
        }
        parts.push(inside.get(start..)?);
        Some(parts)
    }
}

/// The position behind what begins at `at`: a character, a quoted text, an expansion.
pub(super) fn behind(bytes: &[u8], at: usize) -> usize {
    let closing = |from: usize, end: u8| {
        let mut at = from;
        while let Some(byte) = bytes.get(at) {
            match *byte {
                b'\\' if end != b'\'' => at += 1,
                byte if byte == end => return at + 1,
                _ => {}
            }
            at += 1;
        }
        bytes.len()
    };
    match (bytes.get(at), bytes.get(at + 1)) {
        (Some(b'\\'), Some(_)) => at + 2,
        (Some(quote @ (b'\'' | b'"' | b'`')), _) => closing(at + 1, *quote),
        (Some(b'$'), Some(b'{')) => bracket_end(bytes, at + 1, b'{', b'}'),
        (Some(b'$' | b'<' | b'>'), Some(b'(')) => bracket_end(bytes, at + 1, b'(', b')'),
        _ => at + 1,
    }
}

fn bracket_end(bytes: &[u8], from: usize, open: u8, close: u8) -> usize {
    let mut depth = 0usize;
    for (at, byte) in bytes.iter().enumerate().skip(from) {
        if *byte == open {
            depth += 1;
        } else if *byte == close {
            depth -= 1;
            if depth == 0 {
                return at + 1;
            }
        }
    }
    bytes.len()
}

/// `1..9`, `a..e`, `01..10`, `1..9..2`. `None`: it has too many members; `Some(None)`: it is no sequence.
#[allow(clippy::option_option)]
fn sequence_of(text: &str) -> Option<Option<Vec<String>>> {
    let mut parts = text.split("..");
    let (Some(first), Some(last), step, None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Some(None);
    };
    let Ok(step) = step.map_or(Ok(1), str::parse::<i64>) else { return Some(None) };
    let step = step.unsigned_abs().max(1);
    let letter = |text: &str| text.chars().next().filter(|c| text.len() == 1 && c.is_ascii_alphabetic());
    if let (Some(first), Some(last)) = (letter(first), letter(last)) {
        let numbers = members(i64::from(u32::from(first)), i64::from(u32::from(last)), step)?;
        let letters = numbers.into_iter().filter_map(|number| u32::try_from(number).ok().and_then(char::from_u32));
        // A backslash or a backtick between the letters quotes nothing any more.
        let text = |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("'{c}'") };
        return Some(Some(letters.map(text).collect()));
    }
    let (Ok(from), Ok(to)) = (first.parse::<i64>(), last.parse::<i64>()) else { return Some(None) };
    let is_padded = |text: &str| {
        let digits = text.trim_start_matches(['-', '+']);
        digits.len() > 1 && digits.starts_with('0')
    };
    let width = if is_padded(first) || is_padded(last) { first.len().max(last.len()) } else { 0 };
    if width > WORK_MAX / WORDS_MAX {
        return None;
    }
    let padded = |number: i64| if width == 0 { number.to_string() } else { format!("{number:0width$}") };
    Some(Some(members(from, to, step)?.into_iter().map(padded).collect()))
}

fn members(first: i64, last: i64, step: u64) -> Option<Vec<i64>> {
    let count = usize::try_from(first.abs_diff(last) / step).ok().filter(|count| *count < WORDS_MAX)?;
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    let step = if first <= last { step } else { step.checked_neg()? };
    let mut members = Vec::with_capacity(count + 1);
    let mut next = Some(first);
    for _ in 0..=count {
        let Some(number) = next else { break };
        members.push(number);
        next = number.checked_add(step);
    }
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(raw: &str) -> String {
        expanded(raw).map_or_else(|| "none".to_owned(), |texts| texts.join(" "))
    }

    #[test]
    fn lists_and_sequences_expand() {
        assert_eq!(all("a{b,c}d"), "abd acd");
        assert_eq!(all("{a,b{1,2}}x"), "ax b1x b2x");
        assert_eq!(all("{1..3}{a..b}"), "1a 1b 2a 2b 3a 3b");
        assert_eq!(all("r{m,}"), "rm r");
        assert_eq!(all("{01..03}{3..1..2}"), "013 011 023 021 033 031");
        assert_eq!(
            all("{-1..1} {1..9..0}"),
            "-1 1 -1 2 -1 3 -1 4 -1 5 -1 6 -1 7 -1 8 -1 9 0 1 0 2 0 3 0 4 0 5 0 6 0 7 0 8 0 9 1 1 1 2 1 3 1 4 1 5 1 6 1 7 1 8 1 9"
        );
    }

    #[test]
    fn a_brace_closes_only_behind_a_comma() {
        assert_eq!(all("{a},b}"), "a} b");
        assert_eq!(all("{a,{b,c}"), "{a,b {a,c");
        assert_eq!(all("x{a}{b,c}"), "x{a}b x{a}c");
        assert_eq!(all("{a..b..c}{d,e}"), "{a..b..c}d {a..b..c}e");
    }

    #[test]
    fn quotes_and_expansions_are_left_alone() {
        for raw in ["'{a,b}'", "\"{a,b}\"", "\\{a,b}", "${a,b}", "$(echo {a,b})", "{a}", "{}", "{a,b", "{é..ü}"] {
            assert_eq!(all(raw), raw);
        }
    }

    #[test]
    fn words_are_followed_up_to_the_limit_and_told_beyond() {
        assert_eq!(expanded("{1..100}{1..100}").map(|texts| texts.len()), Some(WORDS_MAX));
        for raw in ["{1..9}{1..9}{1..9}{1..9}{1..9}", "{1..10001}", "{1..100}{0..100}", "{1..9223372036854775807}"] {
            assert_eq!(expanded(raw), None, "{raw}");
        }
        let list = |count: usize| format!("{{{}/etc}}", "/tmp/x,".repeat(count));
        assert_eq!(expanded(&list(300)).map(|texts| texts.len()), Some(301));
        assert_eq!(expanded(&list(WORDS_MAX)), None);
    }

    #[test]
    fn nested_and_endless_braces_take_bounded_work() {
        assert_eq!(all(&"{".repeat(1_000_000)), "{".repeat(1_000_000));
        for raw in [
            format!("{}}}", "{".repeat(500_000)),
            format!("{}a{}", "{b,".repeat(100), "}".repeat(100)),
            "{a,b}".repeat(100),
            "{a..a}".repeat(100_000),
            format!("{{1..10000}}{}", "x".repeat(100_000)),
        ] {
            assert_eq!(expanded(&raw), None);
        }
    }
}
