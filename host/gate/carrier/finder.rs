//! Programs that run others for what they find or are given: `find`, `fd`, `xargs`, `parallel`.

use crate::gate::argv::{Argv, Taint, Word, line_of};
use crate::gate::glob::UNKNOWN;
use crate::gate::path::base_name;

use super::wrapper::PARALLEL_VALUED;
use super::{Carried, InputWords, SHELLS, behind, command, flags};

/// Commands and words that are made of standard input, one by one. What is beyond stands as one unknown.
/// Danger: a list without end.
pub(super) const INPUT_ITEMS_MAX: usize = 256;

pub(super) fn by_find(words: &[Word]) -> Vec<Carried> {
    let roots: Vec<&str> = find_roots(words).iter().map(|word| word.text.as_str()).collect();
    // Without a test the first that is found is the root itself.
    let is_unfiltered = !words.iter().any(|word| {
        [
            "-name",
            "-iname",
            "-path",
            "-ipath",
            "-type",
            "-mindepth",
            "-regex",
            "-iregex",
            "-size",
            "-newer",
            "-mtime",
            "-mmin",
            "-atime",
            "-ctime",
            "-empty",
            "-user",
            "-group",
            "-perm",
            "-wholename",
            "-amin",
            "-cmin",
            "-links",
            "-inum",
        ]
        .contains(&word.text.as_str())
    });
    // A plain name is all that can be found by it.
    let is_plain = |name: &&str| !name.contains(['*', '?', '[', '\\']);
    let named = words.windows(2).find(|pair| matches!(pair[0].text.as_str(), "-name" | "-iname"));
    let name = named.map(|pair| pair[1].text.as_str()).filter(is_plain);
    let root = roots.first().copied().unwrap_or(".");
    let mut all = vec![];
    let mut rest = words.get(1..).unwrap_or_default();
    while let Some(at) =
        rest.iter().position(|word| matches!(word.text.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir"))
    {
        rest = &rest[at + 1..];
        let end = rest.iter().position(|word| matches!(word.text.as_str(), ";" | "+")).unwrap_or(rest.len());
        for root in if roots.is_empty() { std::slice::from_ref(&root) } else { roots.as_slice() } {
            let below = root.trim_end_matches('/');
            let found = format!("{below}/{UNKNOWN}");
            all.push(command(replaced(&rest[..end], "{}", &found, Taint::None)));
            if let Some(name) = name {
                let found = format!("{below}/{UNKNOWN}/{name}");
                all.push(command(replaced(&rest[..end], "{}", &found, Taint::None)));
            }
            if is_unfiltered && *root != "." {
                all.push(command(replaced(&rest[..end], "{}", root, Taint::None)));
            }
        }
        rest = &rest[end..];
    }
    all
}

/// The folders that `find` walks: what stands between its leading options and its expression.
pub(crate) fn find_roots(words: &[Word]) -> &[Word] {
    let mut at = 1;
    while let Some(word) = words.get(at) {
        match word.text.as_str() {
            "-H" | "-L" | "-P" | "--" | "-E" | "-X" | "-x" | "-d" | "-s" => at += 1,
            "-D" | "-f" => at += 2,
            text if text.starts_with("-O") => at += 1,
            _ => break,
        }
    }
    let rest = words.get(at..).unwrap_or_default();
    let end = rest.iter().position(|word| is_find_word(&word.text)).unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

/// Whether a word of `find` begins its expression.
fn is_find_word(text: &str) -> bool {
    (text.starts_with('-') && text.len() > 1) || matches!(text, "(" | "!" | ",")
}

pub(super) fn by_fd(words: &[Word]) -> Vec<Carried> {
    let is_exec = |word: &Word| {
        matches!(word.text.as_str(), "-x" | "-X") || word.text.starts_with("--exe") || {
            let letters = word.text.strip_prefix('-').unwrap_or_default();
            letters.len() > 1 && !letters.starts_with('-') && letters.ends_with(['x', 'X'])
        }
    };
    let Some(at) = words.iter().position(is_exec) else { return vec![] };
    let attached = words.get(at).and_then(|word| word.text.split_once('=')).map(|(_, program)| Word::plain(program));
    let rest = words.get(at + 1..).unwrap_or_default();
    let end = rest.iter().position(|word| word.text == ";").unwrap_or(rest.len());
    let template: Vec<Word> = attached.into_iter().chain(rest[..end].iter().cloned()).collect();
    let mut words = replaced(&template, "{}", &UNKNOWN.to_string(), Taint::None);
    words.push(Word::unknown(Taint::None));
    vec![command(words)]
}

pub(super) fn replaced(words: &[Word], mark: &str, by: &str, taint: Taint) -> Vec<Word> {
    let replace = |word: &Word| {
        if word.text.contains(mark) && !mark.is_empty() {
            Word { text: word.text.replace(mark, by), is_glob: word.is_glob, taint: word.taint.max(taint) }
        } else {
            word.clone()
        }
    };
    words.iter().map(replace).collect()
}

/// How `xargs` takes its input apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Between {
    /// Blanks and line breaks; quotes and backslashes hold together.
    Blanks,
    /// Line breaks; quotes and backslashes count as well.
    Lines,
    /// This character alone, and nothing else counts.
    Character(char),
}

/// The items in the input. None: what they are only the run will tell.
fn items(text: &str, between: Between) -> Option<Vec<String>> {
    if let Between::Character(separator) = between {
        let text = text.strip_suffix(separator).unwrap_or(text);
        return Some(if text.is_empty() { vec![] } else { text.split(separator).map(str::to_owned).collect() });
    }
    let mut items = vec![];
    let mut item: Option<String> = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let is_blank = matches!(c, ' ' | '\t' | '\u{b}' | '\u{c}' | '\r');
        match c {
            '\n' => items.extend(item.take()),
            _ if is_blank && between == Between::Blanks => items.extend(item.take()),
            // Blanks in front of a line are left out.
            _ if is_blank && item.is_none() => {}
            '\'' | '"' => {
                let item = item.get_or_insert_default();
                loop {
                    match rest.next() {
                        Some(inner) if inner == c => break,
                        // The program ends with an error, after it has run what was before.
                        Some('\n') | None => return None,
                        Some(inner) => item.push(inner),
                    }
                }
            }
            '\\' => item.get_or_insert_default().push(rest.next()?),
            c => item.get_or_insert_default().push(c),
        }
    }
    items.extend(item);
    Some(items)
}

/// The character that `-d` names. None: it is none that is known.
fn separator(text: &str) -> Option<char> {
    let mut chars = match text {
        "\\n" => return Some('\n'),
        "\\t" => return Some('\t'),
        "\\0" => return Some('\0'),
        text => text.chars(),
    };
    chars.next().filter(|c| chars.next().is_none() && c.is_ascii())
}

pub(super) fn by_xargs(words: &[Word], input: &InputWords<'_>) -> Vec<Carried> {
    let valued = flags(
        "-I|-J|-n|--max-args|-P|--max-procs|-L|-d|--delimiter|-a|--arg-file|-s|--max-chars|-E|-R|-S|--process-slot-var",
    );
    let rest = behind(words, &valued, 0);
    let Some(program) = rest.first() else { return vec![] };
    // Its own options alone: those of the command behind them are none of its business.
    let argv = Argv::read(&words[..words.len() - rest.len()], &valued);
    let value_of = |names: &str| argv.values(&flags(names)).last().map(str::to_owned);
    let has = |names: &str| argv.has_flag(&flags(names));
    let mut mark = value_of("-I|-J");
    // `-i` and `--replace` take their value only when it is attached.
    for word in words.iter().skip(1).take_while(|word| word.text.starts_with('-')) {
        let attached = word.text.strip_prefix("--replace").or_else(|| word.text.strip_prefix("-i"));
        if let Some(attached) = attached {
            let attached = attached.trim_start_matches('=');
            mark = Some(if attached.is_empty() { "{}" } else { attached }.to_owned());
        }
    }
    let between = match value_of("-d|--delimiter") {
        Some(text) => separator(&text).map(Between::Character),
        None if has("-0|--null") => Some(Between::Character('\0')),
        None if mark.is_some() => Some(Between::Lines),
        None => Some(Between::Blanks),
    };
    // How many go into one command. Of lines it is the lines that are counted, and not the words.
    let size = match value_of("-n|--max-args").map(|count| count.parse::<usize>()) {
        _ if has("-L|-l|--max-lines|-s|--max-chars") => None,
        Some(count) => count.ok().filter(|count| *count > 0),
        None => Some(usize::MAX),
    };
    let is_from_file = has("-a|--arg-file");
    let known = input.text.filter(|text| !is_from_file && !text.contains(UNKNOWN));
    let found = known.zip(between).and_then(|(text, between)| items(text, between)).filter(|_| size.is_some());
    let word = |text: &String| Word { text: text.clone(), is_glob: false, taint: input.taint };
    let unknown = Word::unknown(input.taint.max(Taint::Computed));
    let mut values: Vec<Word> = match &found {
        Some(items) => items.iter().take(INPUT_ITEMS_MAX).map(word).collect(),
        // In whatever way it is taken apart: these words are in it.
        None => known.map_or_else(Vec::new, |text| {
            text.split_whitespace().take(INPUT_ITEMS_MAX).map(|text| word(&text.to_owned())).collect()
        }),
    };
    if found.as_ref().is_none_or(|items| items.len() > INPUT_ITEMS_MAX) {
        values.push(unknown);
    }
    let mut all = vec![];
    if let Some(mark) = mark {
        for value in &values {
            let mut line = replaced(rest, &mark, &value.text, value.taint);
            // A mark that stands nowhere is most likely a mistake: what was meant is looked at as well.
            if line == rest {
                line.push(value.clone());
            }
            all.push(command(line));
        }
    } else {
        let with = |values: &[Word]| command(rest.iter().chain(values).cloned().collect());
        match size {
            Some(size) if size < values.len() => all.extend(values.chunks(size).map(with)),
            Some(_) => all.push(with(&values)),
            None => {
                all.push(with(&values));
                all.extend(values.iter().map(|value| with(std::slice::from_ref(value))));
            }
        }
    }
    // `xargs sh -c`: the input is the code, whichever word of it the shell takes.
    let is_code = SHELLS.contains(&base_name(&program.text))
        && rest.last().is_some_and(|word| word.text.starts_with('-') && word.text.ends_with('c'));
    if is_code {
        let code = known.map_or_else(|| Word::unknown(input.taint.max(Taint::Computed)), Word::plain);
        all.push(Carried::Script { code, positional: vec![] });
    }
    all
}

pub(super) fn by_parallel(words: &[Word], input: &InputWords<'_>) -> Vec<Carried> {
    let valued = flags(PARALLEL_VALUED);
    let rest = behind(words, &valued, 0);
    let argv = Argv::read(&words[..words.len() - rest.len()], &valued);
    let has = |names: &str| argv.has_flag(&flags(names));
    let end = rest.iter().position(|word| is_source(&word.text)).unwrap_or(rest.len());
    let (template, sources) = rest.split_at(end);
    let unknown = Word::unknown(input.taint.max(Taint::Computed));
    // With these the input is taken apart, or put together, in ways that are not followed.
    let is_odd = has("-a|--arg-file|-N|-n|--max-args|-L|--colsep|-C|-I|-X|-m|--xargs|-0|--null|-d|--delimiter|--pipe");
    let mut columns: Vec<Vec<Word>> = vec![];
    let mut is_list = false;
    for word in sources {
        if is_source(&word.text) {
            is_list = word.text.starts_with("::::");
            columns.push(vec![]);
        } else if let Some(column) = columns.last_mut() {
            // Behind `::::` stand the names of files whose lines are the values.
            column.push(if is_list { unknown.clone() } else { word.clone() });
        }
    }
    if sources.is_empty() {
        columns.push(match input.text.filter(|text| !text.contains(UNKNOWN)) {
            Some(text) => text.lines().map(|line| Word { taint: input.taint, ..Word::plain(line) }).collect(),
            None => vec![unknown.clone()],
        });
    }
    if is_odd {
        columns.iter_mut().for_each(|column| column.push(unknown.clone()));
    }
    let mut rows: Vec<Vec<Word>> = vec![vec![]];
    for column in &columns {
        let longer = |row: &Vec<Word>| -> Vec<Vec<Word>> {
            column.iter().map(|word| row.iter().cloned().chain([word.clone()]).collect()).collect()
        };
        rows = rows.iter().flat_map(longer).take(INPUT_ITEMS_MAX + 1).collect();
    }
    if rows.len() > INPUT_ITEMS_MAX {
        rows.truncate(INPUT_ITEMS_MAX);
        rows.push(columns.iter().map(|_| unknown.clone()).collect());
    }
    let line = line_of(template);
    let has_mark = template.iter().any(|word| filled(&word.text, &rows.first().cloned().unwrap_or_default()).1);
    let mut all = vec![];
    for row in &rows {
        let value = line_of(row);
        let taint = row.iter().map(|word| word.taint).max().unwrap_or_default();
        let text = match (template.is_empty(), has_mark) {
            (true, _) => value.clone(),
            (false, true) => filled(&line, row).0,
            (false, false) => format!("{line} {value}"),
        };
        all.push(Carried::Script { code: Word { text, is_glob: false, taint }, positional: vec![] });
        // The words as they stand, too: quoting in the template is lost in the line.
        if !template.is_empty() {
            let fill = |word: &Word| match filled(&word.text, row) {
                (text, true) => Word { text, is_glob: word.is_glob, taint: word.taint.max(taint) },
                _ => word.clone(),
            };
            let mut words: Vec<Word> = template.iter().map(fill).collect();
            if !has_mark {
                words.extend(row.iter().cloned());
            }
            all.push(command(words));
        }
    }
    all
}

/// `:::`, `::::`, and what links them to the one before.
fn is_source(text: &str) -> bool {
    matches!(text, ":::" | "::::" | ":::+" | "::::+")
}

/// The text with its marks replaced, and whether there are any: `{}` is all values, `{2}` is the second,
/// and of `{/}`, `{1.}`, `{= code =}` and the like only the run will tell what they come to.
fn filled(text: &str, row: &[Word]) -> (String, bool) {
    let mut out = String::new();
    let mut rest = text;
    let mut has_mark = false;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let Some(close) = rest.find('}') else { break };
        let inside = &rest[1..close];
        let is_mark = inside.bytes().all(|byte| byte.is_ascii_digit() || b"/.#%+-".contains(&byte))
            || (inside.starts_with('=') && inside.ends_with('='));
        if !is_mark {
            out.push('{');
            rest = &rest[1..];
            continue;
        }
        has_mark = true;
        let unknown = UNKNOWN.to_string();
        match inside.parse::<usize>() {
            _ if inside.is_empty() => out.push_str(&line_of(row)),
            Ok(number) => {
                let value = number.checked_sub(1).and_then(|at| row.get(at));
                out.push_str(value.map_or(&unknown, |word| &word.text));
            }
            Err(_) => out.push_str(&unknown),
        }
        rest = &rest[close + 1..];
    }
    out.push_str(rest);
    (out, has_mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried_by(line: &str, input: Option<&str>) -> Vec<String> {
        let words: Vec<Word> = line.split(' ').map(Word::plain).collect();
        let input = InputWords { text: input, taint: Taint::None, is_connected: false };
        let all = if line.starts_with("xargs") { by_xargs(&words, &input) } else { by_parallel(&words, &input) };
        all.into_iter()
            .filter_map(|carried| match carried {
                Carried::Command { words, .. } => Some(words.iter().map(|word| format!("<{}>", word.text)).collect()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn xargs_takes_its_input_apart_as_its_options_say() {
        for (line, input, expected) in [
            ("xargs rm", "a b\nc\n", vec!["<rm><a><b><c>"]),
            ("xargs rm", "'/etc/x y' \"b\" c\\ d", vec!["<rm></etc/x y><b><c d>"]),
            ("xargs -I{} rm {}", "/tmp/a\n /etc\n", vec!["<rm></tmp/a>", "<rm></etc>"]),
            ("xargs -I{} rm {}", "'/etc'\n", vec!["<rm></etc>"]),
            ("xargs -d, rm", "/tmp/a,/etc", vec!["<rm></tmp/a></etc>"]),
            ("xargs -d \\n rm", "a b\nc\n", vec!["<rm><a b><c>"]),
            ("xargs -0 rm", "/tmp/a\0/etc\0", vec!["<rm></tmp/a></etc>"]),
            ("xargs -0 -I% rm %", "/tmp/a\0/etc", vec!["<rm></tmp/a>", "<rm></etc>"]),
            ("xargs -n1 cp x", "a b", vec!["<cp><x><a>", "<cp><x><b>"]),
            ("xargs grep -n -a x", "a b", vec!["<grep><-n><-a><x><a><b>"]),
            ("xargs -n 2 rm", "a b c", vec!["<rm><a><b>", "<rm><c>"]),
        ] {
            assert_eq!(carried_by(line, Some(input)), expected, "{line} {input:?}");
        }
    }

    #[test]
    fn what_xargs_is_not_followed_in_is_unknown() {
        for (line, input) in [
            ("xargs rm", Some("'a b")),
            ("xargs rm", None),
            ("xargs -a f rm", Some("a")),
            ("xargs -d\\x2c rm", Some("a")),
        ] {
            assert!(carried_by(line, input).concat().contains(UNKNOWN), "{line}");
        }
        let many = "a ".repeat(INPUT_ITEMS_MAX);
        assert!(!carried_by("xargs rm", Some(&many)).concat().contains(UNKNOWN));
        assert!(carried_by("xargs rm", Some(&format!("{many} /etc"))).concat().contains(UNKNOWN));
        let lines = many.replace(' ', "\n");
        assert!(carried_by("xargs -I{} rm {}", Some(&format!("{lines}/etc"))).concat().contains(UNKNOWN));
    }

    #[test]
    fn parallel_combines_its_sources() {
        assert_eq!(carried_by("parallel rm {1}{2} ::: / ::: etc x", None), ["<rm></etc>", "<rm></x>"]);
        assert_eq!(carried_by("parallel find -name x ::: a", None), ["<find><-name><x><a>"]);
        assert_eq!(carried_by("parallel rm ::: a b", None), ["<rm><a>", "<rm><b>"]);
        assert_eq!(carried_by("parallel rm {}", Some("a b\nc\n")), ["<rm><a b>", "<rm><c>"]);
        for line in ["parallel rm :::: list", "parallel rm {/.} ::: a", "parallel -a f rm", "parallel -N 2 rm ::: a b"]
        {
            assert!(carried_by(line, None).concat().contains(UNKNOWN), "{line}");
        }
        let many = format!("parallel rm :::{}", " a".repeat(INPUT_ITEMS_MAX + 1));
        assert!(carried_by(&many, None).concat().contains(UNKNOWN));
    }
}
