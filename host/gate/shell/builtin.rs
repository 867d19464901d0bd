//! Commands of the shell that change its state or run text: `eval`, `trap`, `declare`, `read`.
//!
//! What they take as a name is expanded once more by the shell, subscripts and all, so a name that
//! only the run will tell is code that only the run will tell.

use crate::gate::argv::{Taint, Word};
use crate::gate::glob::UNKNOWN;
use crate::gate::path::folded;

use super::lower::{Lower, Trap};
use super::output::{Flow, output};
use super::scope::Value;
use super::simple::{behind_prefix, is_reference};

impl Lower<'_, '_> {
    /// Commands of the shell that change its state or run text. None: it is no such command.
    pub(super) fn builtin(&mut self, words: &[Word], input: &Flow) -> Option<Flow> {
        let (first, arguments) = words.split_first()?;
        let done = Flow { text: Some(String::new()), ..Flow::default() };
        match first.text.as_str() {
            "eval" => Some(self.eval(arguments, input)),
            "builtin" | "command" => {
                let plain = behind_prefix(words);
                if plain.len() < words.len() { self.builtin(plain, input) } else { None }
            }
            "exit" | "return" | "break" | "continue" => {
                self.leave_by(&first.text, arguments);
                Some(done)
            }
            "cd" | "pushd" => {
                let target = arguments.iter().find(|word| !word.text.starts_with('-') || word.text == "-");
                let directory = match target {
                    None => Some("~".to_owned()),
                    Some(word) if word.is_known() && word.text != "-" => {
                        let is_rooted = word.text.starts_with(['/', '~']);
                        (is_rooted || self.scope.directory.is_some())
                            .then(|| folded(&word.text, self.scope.directory.as_deref()))
                    }
                    Some(_) => None,
                };
                self.scope.move_to(directory);
                Some(done)
            }
            "popd" => {
                self.scope.move_to(None);
                Some(done)
            }
            "test" | "[" => {
                for pair in arguments.windows(2).filter(|pair| matches!(pair[0].text.as_str(), "-v" | "-R")) {
                    self.variable_name(&pair[1]);
                }
                None
            }
            "wait" => {
                // `-p NAME`, alone or at the end of a cluster of flags.
                let flag = arguments.iter().position(|word| word.text.starts_with('-') && word.text.contains('p'));
                if let Some(at) = flag {
                    let attached = arguments.get(at).and_then(|word| word.text.split_once('p')).map(|(_, name)| name);
                    let name = match attached.filter(|name| !name.is_empty()) {
                        Some(name) => Some(Word::plain(name)),
                        None => arguments.get(at + 1).cloned(),
                    };
                    if let Some(name) = name {
                        self.variable_name(&name);
                        self.set_named(&name.text, Word::unknown(Taint::None));
                    }
                }
                None
            }
            "let" => {
                arguments.iter().for_each(|word| self.arithmetic_word(word));
                Some(done)
            }
            "declare" | "typeset" | "local" | "readonly" | "export" => {
                self.declaration(words);
                None
            }
            "shopt" => {
                self.scope.has_last_pipe |= arguments.iter().any(|word| word.text == "lastpipe" || !word.is_known());
                None
            }
            "getopts" => {
                for name in arguments.get(1).map(|word| word.text.as_str()).into_iter().chain(["OPTARG"]) {
                    self.scope.set(name, Value::Text(Word::unknown(Taint::None)));
                }
                None
            }
            "compgen" | "complete" => {
                // `-W` is expanded once more, when the list is made.
                for pair in arguments.windows(2).filter(|pair| pair[0].text == "-W") {
                    self.eval_text(&pair[1]);
                }
                None
            }
            "bind" => {
                // `bind -x '"\C-a": CODE'`: what stands behind the key is code.
                for word in arguments.iter().filter(|word| word.text.contains(':')) {
                    let code = word.text.split_once(':').map_or("", |(_, code)| code).trim().to_owned();
                    self.eval(&[Word { text: code, ..word.clone() }], &Flow::default());
                }
                None
            }
            "unset" => {
                self.unset(arguments);
                Some(done)
            }
            "set" => {
                self.set_positional(arguments);
                Some(done)
            }
            "shift" => {
                let count = arguments.first().map_or(Some(1), |word| word.text.parse::<usize>().ok());
                self.scope.positional = match (self.scope.positional.take(), count) {
                    // With more than there are, the shell leaves them as they are.
                    (Some(words), Some(count)) => Some(words.get(count..).map_or(words.clone(), <[Word]>::to_vec)),
                    _ => None,
                };
                Some(done)
            }
            "alias" => {
                for word in arguments {
                    if let Some((name, body)) = word.text.split_once('=') {
                        if name.contains(UNKNOWN) {
                            self.look.note("dynamic_code", format!("an alias named `{name}`"));
                        }
                        self.apart(|lower| lower.code(body, &Flow::default()));
                        self.scope.set_alias(name, body);
                    } else if !word.is_known() {
                        self.look.note("dynamic_code", format!("the alias `{}`", word.text));
                    }
                }
                Some(done)
            }
            "unalias" => {
                for word in arguments {
                    self.scope.remove_alias(Some(word.text.as_str()).filter(|name| *name != "-a"));
                }
                Some(done)
            }
            "trap" => {
                let rest = match arguments.split_first() {
                    Some((dashes, rest)) if dashes.text == "--" => rest,
                    _ => arguments,
                };
                if let Some((code, signals)) = rest.split_first()
                    && !code.text.starts_with('-')
                    && !signals.is_empty()
                {
                    self.trap(code, signals);
                }
                Some(done)
            }
            "read" | "mapfile" | "readarray" => {
                // `-C CODE` is run for so many lines each.
                let callback = arguments.iter().position(|word| word.text.starts_with("-C"));
                let attached = callback.and_then(|at| arguments.get(at)).and_then(|word| word.text.get(2..));
                let next = callback.and_then(|at| arguments.get(at + 1)).map(|word| word.text.as_str());
                if let Some(code) = attached.filter(|code| !code.is_empty()).or(next).map(str::to_owned) {
                    self.at_any_time(|lower| lower.code(&code, &Flow::default()));
                }
                if first.text == "read" {
                    self.read_line(arguments, input)
                } else {
                    self.map_file(arguments, input)
                }
                Some(done)
            }
            "printf" if arguments.first().is_some_and(|word| word.text == "-v") => {
                let (name, rest) = (arguments.get(1)?, arguments.get(2..).unwrap_or_default());
                self.variable_name(name);
                let mut line = vec![Word::plain("printf")];
                line.extend_from_slice(rest);
                let flow = output(&line, input);
                let value = match flow.text {
                    Some(text) => Word { text, is_glob: false, taint: flow.taint },
                    None => Word::unknown(flow.taint.max(Taint::Computed)),
                };
                self.set_named(&name.text, value);
                Some(done)
            }
            _ => None,
        }
    }

    /// `declare`, `export`, `readonly`: names with what is true of them from here on. What is assigned
    /// without quotes was set before; `-n`, `-i` and `-A` give a name another meaning.
    fn declaration(&mut self, words: &[Word]) {
        let Some((first, arguments)) = words.split_first() else { return };
        let is_flag = |word: &&Word| word.text.len() > 1 && word.text.starts_with(['-', '+']);
        let flags = |sign: char, letter: char| {
            arguments.iter().filter(is_flag).any(|word| word.text.starts_with(sign) && word.text.contains(letter))
        };
        let has = |letter: char| flags('-', letter);
        let kind = first.text.as_str();
        let names: Vec<Word> = arguments.iter().filter(|word| !is_flag(word) && word.text != "--").cloned().collect();
        for word in &names {
            let (name, value) = match word.text.split_once('=') {
                Some((own, value)) => {
                    (Word { text: own.trim_end_matches('+').to_owned(), ..word.clone() }, Some(value.to_owned()))
                }
                None => (word.clone(), None),
            };
            self.variable_name(&name);
            if matches!(kind, "export" | "readonly") && name.text.contains(UNKNOWN) {
                self.look
                    .note("dynamic_code", format!("a variable whose name only the run will tell: `{}`", name.text));
                continue;
            }
            if has('f') || has('F') {
                if kind == "export" || has('x') {
                    self.scope.export_function(&name.text);
                }
                if kind == "readonly" || has('r') {
                    self.scope.keep_function(&name.text);
                }
                continue;
            }
            if let Some(text) = value {
                self.make_local(words, &name.text);
                self.latent(&text);
                let is_certain = !text.starts_with('(') && !word.text.contains("+=");
                let value = if is_certain { Word { text, ..word.clone() } } else { Word::unknown(word.taint) };
                if is_reference(words) {
                    self.refer(&name.text, &Value::Text(value));
                } else {
                    self.set_named(&name.text, value);
                }
            } else if matches!(kind, "local" | "declare" | "typeset") && self.make_local(words, &name.text) {
                self.scope.set(&name.text, Value::Unset);
            }
            if has('A') {
                self.scope.make_associative(&name.text);
            }
            let refers = is_reference(words);
            if refers && !self.scope.is_reference(&name.text) {
                let value = self.scope.is_assigned(&name.text).then(|| self.scope.first(&name.text)).flatten();
                match value {
                    Some(value) => self.refer(&name.text, &Value::Text(value)),
                    None => self.scope.refer(&name.text, None),
                }
            }
            let own = self.scope.get(&name.text);
            let is_set_here = self.scope.is_assigned(&name.text) || own.iter().all(Word::is_known);
            for value in own.iter().filter(|_| is_set_here && has('i') && !refers) {
                self.arithmetic_word(value);
            }
            if has('n') && kind == "export" || flags('+', 'x') {
                self.scope.withhold(&name.text);
            } else if kind == "export" || has('x') {
                self.scope.export(&name.text);
                self.scope.set_lately.push(name.text.clone());
            }
            // The shell changes the letters of each value.
            if has('u') || has('l') || has('c') {
                self.scope.make_volatile(&name.text);
            }
            if kind == "readonly" || has('r') {
                self.scope.make_read_only(&name.text);
            }
        }
    }

    /// The one name stands for the other from here on.
    pub(super) fn refer(&mut self, name: &str, target: &Value) {
        if let Value::Text(word) = target {
            self.variable_name(word);
        }
        self.scope.refer(name, Some(target));
    }

    /// A declaration within a function makes its names local, unless it says otherwise. Whether this is one that
    /// was not local before.
    pub(super) fn make_local(&mut self, words: &[Word], name: &str) -> bool {
        let is_in_function = self.calls.iter().any(|call| !call.is_alias());
        let words = behind_prefix(words);
        let kind = words.first().map_or("", |word| word.text.as_str());
        if !is_in_function || !matches!(kind, "declare" | "typeset" | "local") {
            return false;
        }
        let is_global = words.iter().skip(1).any(|word| word.text.starts_with('-') && word.text.contains('g'));
        let is_known = self.locals.iter().any(|(own, _)| own == name);
        if is_global {
            // Which of the variables by this name is meant further out, is not followed.
            if is_known || self.calls.len() > 1 {
                self.scope.make_volatile(name);
            }
            return false;
        }
        if !is_known {
            self.locals.push((name.to_owned(), self.scope.raw(name)));
        }
        !is_known
    }

    /// `unset NAME` is for a variable, and for a function where there is no such variable.
    fn unset(&mut self, arguments: &[Word]) {
        let is_flag = |word: &&Word| word.text.len() > 1 && word.text.starts_with('-');
        let has = |letter: char| arguments.iter().filter(is_flag).any(|word| word.text.contains(letter));
        for word in arguments.iter().filter(|word| !is_flag(word)) {
            self.variable_name(word);
            let name = word.text.as_str();
            if !has('v') {
                if name.contains(UNKNOWN) { self.scope.doubt_all_functions() } else { self.scope.doubt_function(name) }
            }
            if has('f') {
                continue;
            }
            match name.split_once('[') {
                Some((base, _)) => self.scope.loosen(base),
                None => self.scope.set(name, Value::Unset),
            }
        }
    }

    /// `set` with what stands behind its options.
    fn set_positional(&mut self, arguments: &[Word]) {
        let mut rest = arguments.iter();
        let mut words: Option<Vec<Word>> = None;
        while let Some(word) = rest.next() {
            let text = word.text.as_str();
            match text {
                "--" => words = Some(rest.by_ref().cloned().collect()),
                "-" => words = Some(rest.by_ref().cloned().collect()).filter(|words: &Vec<Word>| !words.is_empty()),
                _ if text.starts_with(['-', '+']) => {
                    if text.ends_with('o') {
                        rest.next();
                    }
                }
                _ => words = Some(std::iter::once(word).chain(rest.by_ref()).cloned().collect()),
            }
        }
        let Some(words) = words else { return };
        // What only the run will tell may be several words, or none.
        self.scope.positional = Some(words).filter(|words| words.iter().all(Word::is_known));
    }

    /// Code for a signal, for the end, or for each command.
    fn trap(&mut self, code: &Word, signals: &[Word]) {
        let scope = self.scope.clone();
        let is_at_end = |word: &Word| matches!(word.text.to_ascii_uppercase().as_str(), "EXIT" | "0" | "SIGEXIT");
        if signals.iter().all(is_at_end) {
            self.apart(|lower| lower.eval(std::slice::from_ref(code), &Flow::default()));
        } else {
            self.at_any_time(|lower| lower.eval(std::slice::from_ref(code), &Flow::default()));
        }
        self.traps.push(Trap { code: code.text.clone(), scope });
    }

    /// Follow what may run between any two commands from here on: what it changes is unknown for good.
    fn at_any_time(&mut self, follow: impl FnOnce(&mut Self) -> Flow) {
        let (_, ended) = self.apart_with_state(follow);
        self.scope.take_notes(&ended);
        self.scope.expect_any_time(&ended);
    }

    /// A word that is an expression.
    pub(super) fn arithmetic_word(&mut self, word: &Word) {
        if word.text.contains(UNKNOWN) {
            self.look.note("dynamic_code", "arithmetic over what only the run will tell".to_owned());
        } else {
            self.arithmetic(&word.text.clone());
        }
    }

    /// A word that is expanded once more.
    pub(super) fn eval_text(&mut self, word: &Word) {
        if word.text.contains(UNKNOWN) {
            self.look.note("dynamic_code", format!("`{}` is expanded once more", word.text));
        } else {
            self.expansions_in(&word.text);
        }
    }

    pub(super) fn eval(&mut self, arguments: &[Word], input: &Flow) -> Flow {
        let taint = arguments.iter().map(|word| word.taint).max().unwrap_or_default();
        let texts: Vec<&str> = arguments.iter().map(|word| word.text.as_str()).collect();
        let code = texts.join(" ");
        self.look.note_code(&code, taint);
        if code.trim() == UNKNOWN.to_string() {
            return Flow::unknown(taint.max(Taint::Computed));
        }
        self.code(&code, input)
    }
}
