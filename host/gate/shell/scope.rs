//! What a script has set so far: variables, functions, aliases, positional words and the folder it is in.
//!
//! Values are what the script's own text says. What the environment sets stays unknown, except what
//! it sets everywhere: the home folder is `~`, temporary files are in /tmp, IFS is the usual one.

use std::collections::HashMap;
use std::rc::Rc;

use brush_parser::ast::FunctionBody;

use crate::gate::argv::{Taint, Word};
use crate::gate::glob::UNKNOWN;

/// Longest value that is followed. Danger: `x=$x$x` doubles a text with each line.
pub(crate) const VALUE_BYTES_MAX: usize = 64 << 10;
/// Most variables that are followed; further ones stay unknown. Danger: each subshell that sets one
/// copies them all.
const VARIABLES_MAX: usize = 512;

/// Variables that the shell itself sets to a number.
const NUMBERS: &[&str] = &[
    "UID",
    "EUID",
    "PPID",
    "BASHPID",
    "RANDOM",
    "SRANDOM",
    "SECONDS",
    "EPOCHSECONDS",
    "LINENO",
    "COLUMNS",
    "LINES",
    "OPTIND",
    "SHLVL",
    "BASH_SUBSHELL",
    "HISTCMD",
];

/// Whether a variable by this name most likely holds a secret.
fn is_secret_name(name: &str) -> bool {
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "PRIVATE_KEY", "ACCESS_KEY", "CREDENTIAL"]
        .iter()
        .any(|part| name.contains(part))
}

/// What is known of a variable.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(Word),
    List(Vec<Word>),
    Unset,
}

impl Value {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Text(own), Value::Text(other)) => own == other,
            (Value::List(own), Value::List(other)) => own == other,
            (Value::Unset, Value::Unset) => true,
            _ => false,
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Value::Text(word) if !word.text.is_empty() && word.text.bytes().all(|byte| byte.is_ascii_digit()))
    }

    fn taint(&self) -> Taint {
        match self {
            Value::Text(word) => word.taint,
            Value::List(words) => words.iter().map(|word| word.taint).max().unwrap_or_default(),
            Value::Unset => Taint::default(),
        }
    }
}

/// The state of the shell at one point of the script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    // Shared until changed: every subshell starts with a copy.
    variables: Rc<HashMap<String, Value>>,
    pub functions: Rc<HashMap<String, Rc<FunctionBody>>>,
    pub aliases: Rc<HashMap<String, String>>,
    /// `$1` and on, where the script or a call sets them.
    pub positional: Option<Vec<Word>>,
    /// `$0`, where a carrier sets it.
    pub zero: Option<Word>,
    /// Unknown after a `cd` to where only the run will tell.
    pub directory: Option<String>,
    /// The names of the variables that commands of the script will see.
    pub exported: Vec<String>,
    /// Arrays whose keys are text.
    pub associative: Vec<String>,
    /// Variables that take no other value any more.
    pub read_only: Vec<String>,
}

impl Scope {
    pub(crate) fn new(directory: Option<&str>) -> Self {
        Self { directory: directory.map(str::to_owned), ..Self::default() }
    }

    pub(crate) fn set(&mut self, name: &str, value: Value) {
        if self.read_only.iter().any(|own| own == name) {
            return;
        }
        let value = match value {
            Value::Text(word) if word.text.len() > VALUE_BYTES_MAX => Value::Text(Word::unknown(word.taint)),
            value => value,
        };
        if self.variables.len() < VARIABLES_MAX || self.variables.contains_key(name) {
            Rc::make_mut(&mut self.variables).insert(name.to_owned(), value);
        }
    }

    pub(crate) fn set_text(&mut self, name: &str, text: &str, taint: Taint) {
        self.set(name, Value::Text(Word { text: text.to_owned(), is_glob: false, taint }));
    }

    /// The state where this one and `other` come together again: after a branch of which only the run
    /// will tell whether it was taken. What both agree on is kept, and so is what one of them alone
    /// has set; what they disagree on is unknown.
    pub(crate) fn meet(&mut self, other: &Self) {
        if !Rc::ptr_eq(&self.variables, &other.variables) {
            for (name, value) in other.variables.iter() {
                match self.variables.get(name) {
                    Some(own) if own.is_same(value) => {}
                    // A counter: which number it is does not matter.
                    Some(own) if own.is_number() && value.is_number() => {
                        self.set(name, Value::Text(Word::plain("0")));
                    }
                    Some(own) => {
                        let taint = own.taint().max(value.taint());
                        self.set(name, Value::Text(Word::unknown(taint)));
                    }
                    None => self.set(name, value.clone()),
                }
            }
        }
        for (name, body) in other.functions.iter() {
            match self.functions.get(name) {
                Some(own) if Rc::ptr_eq(own, body) => {}
                Some(_) => self.forget_meaning(name),
                None => drop(Rc::make_mut(&mut self.functions).insert(name.clone(), body.clone())),
            }
        }
        for (name, text) in other.aliases.iter() {
            match self.aliases.get(name) {
                Some(own) if own == text => {}
                Some(_) => self.forget_meaning(name),
                None => drop(Rc::make_mut(&mut self.aliases).insert(name.clone(), text.clone())),
            }
        }
        if self.positional != other.positional {
            self.positional = None;
        }
        if self.directory != other.directory {
            self.directory = None;
        }
        for name in &other.exported {
            if !self.exported.contains(name) {
                self.exported.push(name.clone());
            }
        }
    }

    /// From here on only the run will tell what this name does.
    fn forget_meaning(&mut self, name: &str) {
        Rc::make_mut(&mut self.functions).remove(name);
        Rc::make_mut(&mut self.aliases).insert(name.to_owned(), UNKNOWN.to_string());
    }

    /// What is kept of a variable, to be put back by [`Scope::restore`].
    pub(crate) fn raw(&self, name: &str) -> Option<Value> {
        self.variables.get(name).cloned()
    }

    pub(crate) fn restore(&mut self, name: &str, value: Option<Value>) {
        match value {
            Some(value) => self.set(name, value),
            None => drop(Rc::make_mut(&mut self.variables).remove(name)),
        }
    }

    /// Whether the script itself says what the variable holds.
    pub(crate) fn is_assigned(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// The words a variable stands for.
    pub(crate) fn get(&self, name: &str) -> Vec<Word> {
        match self.variables.get(name) {
            Some(Value::Text(word)) => vec![word.clone()],
            Some(Value::List(words)) => words.clone(),
            Some(Value::Unset) => vec![],
            None => match (name, &self.directory) {
                ("HOME", _) => vec![Word::plain("~")],
                ("TMPDIR", _) => vec![Word::plain("/tmp")],
                ("IFS", _) => vec![Word::plain(" \t\n")],
                ("PWD", Some(directory)) => vec![Word::plain(directory.clone())],
                (name, _) if NUMBERS.contains(&name) => vec![Word::plain("0")],
                // What goes out within an address is told from what stays here.
                (name, _) if is_secret_name(name) => vec![Word::unknown(Taint::Computed)],
                _ => vec![Word::plain(UNKNOWN.to_string())],
            },
        }
    }
}
