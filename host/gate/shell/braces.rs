//! Brace expansion: `a{b,c}d` and `{1..9}`, as the shell does it before anything else.
//!
//! Our own, because the parser's takes exponential time on nested braces (`{{{{{{{{` for minutes).

/// Words that one word may become. Danger: `{1..9}{1..9}{1..9}...`.
pub(crate) const WORDS_MAX: usize = 256;
/// Brace groups side by side, and within each other.
const GROUPS_MAX: usize = 16;
const DEPTH_MAX: usize = 8;

struct Group<'a> {
    open: usize,
    close: usize,
    choices: Vec<&'a str>,
}

/// The texts that `raw` stands for, at most [`WORDS_MAX`]. `None`: there are more braces than are followed.
pub(crate) fn expanded(raw: &str) -> Option<Vec<String>> {
    expanded_within(raw, DEPTH_MAX)
}

fn expanded_within(raw: &str, depth: usize) -> Option<Vec<String>> {
    let groups = groups(raw);
    if groups.is_empty() {
        return Some(vec![raw.to_owned()]);
    }
    if groups.len() > GROUPS_MAX || depth == 0 {
        return None;
    }
    let mut texts = vec![String::new()];
    let mut at = 0;
    for group in groups {
        let before = raw.get(at..group.open)?;
        let mut choices = vec![];
        match group.choices.as_slice() {
            [sequence] => choices = sequence_of(sequence)?,
            several => {
                for choice in several {
                    choices.extend(expanded_within(choice, depth - 1)?);
                }
            }
        }
        let combine =
            |text: &String| -> Vec<String> { choices.iter().map(|choice| format!("{text}{before}{choice}")).collect() };
        texts = texts.iter().flat_map(combine).take(WORDS_MAX).collect();
        at = group.close + 1;
    }
    let rest = raw.get(at..)?;
    texts.iter_mut().for_each(|text| text.push_str(rest));
    Some(texts)
}

/// The brace groups of the text that expand, outermost only.
fn groups(raw: &str) -> Vec<Group<'_>> {
    let mut groups = vec![];
    let mut at = 0;
    while at < raw.len() {
        if raw.as_bytes()[at] == b'{'
            && let Some(group) = group_at(raw, at)
        {
            at = group.close + 1;
            groups.push(group);
            continue;
        }
        at = behind(raw, at);
    }
    groups
}

fn group_at(raw: &str, open: usize) -> Option<Group<'_>> {
    let mut choices = vec![];
    let mut depth = 0usize;
    let mut start = open + 1;
    let mut at = start;
    while at < raw.len() {
        match raw.as_bytes()[at] {
            b'{' => depth += 1,
            b',' if depth == 0 => {
                choices.push(raw.get(start..at)?);
                start = at + 1;
            }
            b'}' if depth == 0 => {
                choices.push(raw.get(start..at)?);
                let expands = choices.len() > 1 || choices.first().is_some_and(|text| sequence_of(text).is_some());
                return expands.then_some(Group { open, close: at, choices });
            }
            b'}' => depth -= 1,
            _ => {}
        }
        at = if matches!(raw.as_bytes()[at], b'{' | b'}') { at + 1 } else { behind(raw, at) };
    }
    None
}

/// The position behind what begins at `at`: a character, a quoted text, an expansion.
fn behind(raw: &str, at: usize) -> usize {
    let bytes = raw.as_bytes();
    let closing = |from: usize, end: u8| {
        let mut at = from;
        while at < bytes.len() {
            match bytes[at] {
                b'\\' if end != b'\'' => at += 1,
                byte if byte == end => return at + 1,
                _ => {}
            }
            at += 1;
        }
        bytes.len()
    };
    match (bytes[at], bytes.get(at + 1)) {
        (b'\\', Some(_)) => at + 2,
        (quote @ (b'\'' | b'"' | b'`'), _) => closing(at + 1, quote),
        (b'$', Some(b'{')) => bracket_end(bytes, at + 1, b'{', b'}'),
        (b'$', Some(b'(')) => bracket_end(bytes, at + 1, b'(', b')'),
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

/// `1..9`, `a..e`, `1..9..2`.
fn sequence_of(text: &str) -> Option<Vec<String>> {
    let mut parts = text.split("..");
    let (first, last) = (parts.next()?, parts.next()?);
    let step = parts.next().map_or(Some(1), |step| step.parse::<i32>().ok())?.unsigned_abs().max(1) as usize;
    if parts.next().is_some() {
        return None;
    }
    if let (Ok(first), Ok(last)) = (first.parse::<i32>(), last.parse::<i32>()) {
        return Some(
            (first.min(last)..=first.max(last))
                .step_by(step)
                .take(WORDS_MAX)
                .map(|number| number.to_string())
                .collect(),
        );
    }
    let letter = |text: &str| text.chars().next().filter(|c| text.len() == 1 && c.is_ascii_alphabetic());
    let (first, last) = (letter(first)?, letter(last)?);
    Some((first.min(last)..=first.max(last)).step_by(step).map(|c| c.to_string()).collect())
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
    }

    #[test]
    fn quotes_and_expansions_are_left_alone() {
        for raw in ["'{a,b}'", "\"{a,b}\"", "\\{a,b}", "${a,b}", "$(echo {a,b})", "{a}", "{}", "{a,b", "{é..ü}"] {
            assert_eq!(all(raw), raw);
        }
    }

    #[test]
    fn nested_and_endless_braces_take_no_time() {
        assert_eq!(all(&"{".repeat(10_000)), "{".repeat(10_000));
        assert_eq!(all(&format!("{}a{}", "{b,".repeat(100), "}".repeat(100))), "none");
        assert_eq!(all(&"{a,b}".repeat(100)), "none");
        assert_eq!(expanded("{1..9}{1..9}{1..9}{1..9}").map(|texts| texts.len()), Some(WORDS_MAX));
    }
}
