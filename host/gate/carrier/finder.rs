//! Programs that run others for what they find or are given: `find`, `fd`, `xargs`, `parallel`.

use crate::gate::argv::{Argv, Taint, Word, line_of};
use crate::gate::glob::UNKNOWN;
use crate::gate::path::base_name;

use super::{Carried, InputWords, SHELLS, behind, command, flags};

/// Words from standard input that are worth to follow one by one. Danger: a list without end.
pub(super) const INPUT_WORDS_MAX: usize = 64;

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

pub(super) fn by_xargs(words: &[Word], input: &InputWords<'_>) -> Option<Carried> {
    let replace = flags("-I|-J");
    let valued =
        flags("-I|-J|-n|--max-args|-P|--max-procs|-L|--max-lines|-d|--delimiter|-a|--arg-file|-s|--max-chars|-E|-R|-S");
    let argv = Argv::read(words, &valued);
    let mut mark = argv.values(&replace).next().map(str::to_owned);
    // `-i` and `--replace` take their value only when it is attached.
    for word in words.iter().skip(1).take_while(|word| word.text.starts_with('-')) {
        let attached = word.text.strip_prefix("--replace").or_else(|| word.text.strip_prefix("-i"));
        if let Some(attached) = attached {
            let attached = attached.trim_start_matches('=');
            mark = Some(if attached.is_empty() { "{}" } else { attached }.to_owned());
        }
    }
    let rest = behind(words, &valued, 0);
    let program = rest.first()?;
    let is_from_file = argv.has_flag(&flags("-a|--arg-file"));
    let known = input.text.filter(|_| !is_from_file);
    let mut all;
    if let Some(mark) = mark {
        let by = known.map_or_else(|| UNKNOWN.to_string(), |text| text.trim_end().to_owned());
        all = replaced(rest, &mark, &by, input.taint);
        // A mark that stands nowhere is most likely a mistake: what was meant is looked at as well.
        if all == rest {
            all.push(Word { text: by, is_glob: false, taint: input.taint });
        }
    } else {
        all = rest.to_vec();
        match known {
            Some(text) => all.extend(text.split_whitespace().take(INPUT_WORDS_MAX).map(|text| Word {
                text: text.to_owned(),
                is_glob: false,
                taint: input.taint,
            })),
            None => all.push(Word::unknown(input.taint.max(Taint::Computed))),
        }
    }
    // `xargs sh -c`: the input is the code, whichever word of it the shell takes.
    let is_code = SHELLS.contains(&base_name(&program.text))
        && rest.last().is_some_and(|word| word.text.starts_with('-') && word.text.ends_with('c'));
    if is_code {
        let code = known.map_or_else(|| Word::unknown(input.taint.max(Taint::Computed)), Word::plain);
        return Some(Carried::Script { code, positional: vec![] });
    }
    Some(command(all))
}

pub(super) fn by_parallel(words: &[Word], input: &InputWords<'_>) -> Vec<Carried> {
    let valued = flags(
        "-j|--jobs|-S|--sshlogin|--results|--joblog|-a|--arg-file|-N|-n|--max-args|-L|--colsep|-C|-I|--timeout|--retries|--delay|--tmpdir|--wd|--tag-string|-d|--delimiter",
    );
    let rest = behind(words, &valued, 0);
    let is_source = |word: &Word| word.text.starts_with(":::");
    let end = rest.iter().position(is_source).unwrap_or(rest.len());
    let (template, sources) = rest.split_at(end);
    let mut values: Vec<Word> = sources.iter().filter(|word| !is_source(word)).take(INPUT_WORDS_MAX).cloned().collect();
    if sources.is_empty() {
        match input.text {
            Some(text) => values.extend(text.lines().take(INPUT_WORDS_MAX).map(Word::plain)),
            None => values.push(Word::unknown(input.taint.max(Taint::Computed))),
        }
    }
    let line = line_of(template);
    let has_mark = line.contains("{}") || line.contains("{1}") || line.contains("{2}");
    let run = |value: &Word| {
        let text = if template.is_empty() {
            value.text.clone()
        } else if has_mark {
            line.replace("{}", &value.text).replace("{1}", &value.text).replace("{2}", &value.text)
        } else {
            format!("{line} {}", value.text)
        };
        Carried::Script { code: Word { text, is_glob: false, taint: value.taint }, positional: vec![] }
    };
    let mut all: Vec<Carried> = values.iter().map(run).collect();
    // The words as they stand, too: quoting in the template is lost in the line.
    if !template.is_empty() {
        all.extend(values.iter().map(|value| {
            let mut words = replaced(template, "{}", &value.text, value.taint);
            if !has_mark {
                words.push(value.clone());
            }
            command(words)
        }));
    }
    all
}
