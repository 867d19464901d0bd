//! Commands of the shell that change its state or run text: `eval`, `trap`, `declare`, `read`.
//!
//! What they take as a name is expanded once more by the shell, subscripts and all, so a name that
//! only the run will tell is code that only the run will tell.

use std::rc::Rc;

use crate::gate::argv::{Taint, Word};
use crate::gate::glob::UNKNOWN;
use crate::gate::path::folded;

use super::lower::Lower;
use super::output::{Flow, output};
use super::scope::Value;

impl Lower<'_, '_> {
    /// Commands of the shell that change its state or run text. None: it is no such command.
    pub(super) fn builtin(&mut self, words: &[Word], input: &Flow) -> Option<Flow> {
        let (first, arguments) = words.split_first()?;
        let done = Flow { text: Some(String::new()), ..Flow::default() };
        match first.text.as_str() {
            "eval" => Some(self.eval(arguments, input)),
            "builtin" | "command"
                if arguments.first().is_some_and(|word| {
                    matches!(word.text.as_str(), "cd" | "eval" | "source" | "." | "set" | "export")
                }) =>
            {
                self.builtin(arguments, input)
            }
            "cd" | "pushd" => {
                let target = arguments.iter().find(|word| !word.text.starts_with('-') || word.text == "-");
                self.scope.directory = match target {
                    None => Some("~".to_owned()),
                    Some(word) if word.is_known() && word.text != "-" => {
                        let is_rooted = word.text.starts_with(['/', '~']);
                        (is_rooted || self.scope.directory.is_some())
                            .then(|| folded(&word.text, self.scope.directory.as_deref()))
                    }
                    Some(_) => None,
                };
                Some(done)
            }
            "popd" => {
                self.scope.directory = None;
                Some(done)
            }
            "test" | "[" => {
                for pair in arguments.windows(2).filter(|pair| matches!(pair[0].text.as_str(), "-v" | "-R")) {
                    self.variable_name(&pair[1]);
                }
                None
            }
            "let" => {
                arguments.iter().for_each(|word| self.arithmetic_word(word));
                Some(done)
            }
            "declare" | "typeset" | "local" => {
                self.declaration(arguments);
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
                arguments.iter().filter(|word| !word.text.starts_with('-')).for_each(|word| self.variable_name(word));
                for word in arguments.iter().filter(|word| !word.text.starts_with('-')) {
                    self.scope.set(&word.text, Value::Unset);
                }
                Some(done)
            }
            "set" => {
                if let Some(at) = arguments.iter().position(|word| word.text == "--") {
                    self.scope.positional = Some(arguments[at + 1..].to_vec());
                }
                Some(done)
            }
            "shift" => {
                if let Some(words) = &mut self.scope.positional
                    && !words.is_empty()
                {
                    words.remove(0);
                }
                Some(done)
            }
            "alias" => {
                for word in arguments {
                    if let Some((name, body)) = word.text.split_once('=') {
                        Rc::make_mut(&mut self.scope.aliases).insert(name.to_owned(), body.to_owned());
                        self.code(body, &Flow::default());
                    }
                }
                Some(done)
            }
            "trap" => {
                if let Some(code) =
                    arguments.iter().find(|word| !word.text.starts_with('-')).filter(|_| arguments.len() > 1)
                {
                    self.eval(std::slice::from_ref(code), &Flow::default());
                }
                Some(done)
            }
            "read" | "mapfile" | "readarray" => {
                // `-C CODE` is run for so many lines each.
                let callback = arguments.iter().position(|word| word.text.starts_with("-C"));
                if let Some(word) = callback.and_then(|at| arguments.get(at)).filter(|word| word.text.len() > 2) {
                    self.code(&word.text[2..], &Flow::default());
                } else if let Some(code) = callback.and_then(|at| arguments.get(at + 1)) {
                    self.code(&code.text.clone(), &Flow::default());
                }
                self.read_variables(arguments, input);
                Some(done)
            }
            "printf" if arguments.first().is_some_and(|word| word.text == "-v") => {
                let (name, rest) = (arguments.get(1)?, arguments.get(2..).unwrap_or_default());
                self.variable_name(name);
                let mut line = vec![Word::plain("printf")];
                line.extend_from_slice(rest);
                let flow = output(&line, input);
                self.set_flow(&name.text, &flow);
                Some(done)
            }
            "export" => {
                self.scope
                    .exported
                    .extend(arguments.iter().filter(|word| !word.text.starts_with('-')).map(|word| word.text.clone()));
                None
            }
            _ => None,
        }
    }

    /// `declare -n`, `-i` and `-A` give a name another meaning.
    pub(super) fn declaration(&mut self, arguments: &[Word]) {
        let has =
            |letter: char| arguments.iter().any(|word| word.text.starts_with(['-', '+']) && word.text.contains(letter));
        let names: Vec<Word> = arguments.iter().filter(|word| !word.text.starts_with(['-', '+'])).cloned().collect();
        if has('A') {
            self.scope.associative.extend(names.iter().map(|word| word.text.clone()));
        }
        for name in &names {
            let (name, value) = match name.text.split_once('=') {
                Some((own, value)) => (Word::plain(own), vec![Word { text: value.to_owned(), ..name.clone() }]),
                None => (name.clone(), self.scope.get(&name.text)),
            };
            self.variable_name(&name);
            let is_set_here = self.scope.is_assigned(&name.text) || value.iter().all(Word::is_known);
            for value in value.iter().filter(|_| is_set_here) {
                if has('n') {
                    self.variable_name(value);
                } else if has('i') {
                    self.arithmetic_word(value);
                }
            }
        }
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

    pub(super) fn read_variables(&mut self, arguments: &[Word], input: &Flow) {
        const VALUED: &[&str] = &["-d", "-n", "-N", "-p", "-t", "-u", "-i", "-C", "-c", "-O", "-s"];
        let mut before = "";
        for word in arguments {
            if !word.text.starts_with('-') && !VALUED.contains(&before) {
                self.variable_name(word);
            }
            before = &word.text;
        }
        let names = arguments.iter().filter(|word| {
            !word.text.starts_with('-') && word.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        });
        let mut line = input.clone();
        line.text = line.text.and_then(|text| text.lines().next().map(str::to_owned));
        for word in names {
            if word.text.starts_with(|c: char| c.is_ascii_digit()) {
                continue;
            }
            self.set_flow(&word.text, &line);
        }
    }

    pub(super) fn set_flow(&mut self, name: &str, flow: &Flow) {
        match &flow.text {
            Some(text) => self.scope.set_text(name, text.trim_end_matches('\n'), flow.taint),
            None => self.scope.set(name, Value::Text(Word::unknown(flow.taint))),
        }
    }
}
