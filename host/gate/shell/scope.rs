//! What a script has set so far: variables, functions, aliases, positional words and the folder it is in.
//!
//! Values are what the script's own text says. What the environment sets stays unknown, except what
//! it sets everywhere: the home folder is `~`, temporary files are in /tmp, IFS is the usual one.
//!
//! Nothing here is guessed: where two ways come together that disagree, a value is unknown from then on
//! ([`Scope::meet`]), a function is one of several and no longer certain, and another shell gets only what
//! is handed on to it ([`Scope::inner`]).

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use brush_parser::ast::FunctionBody;

use crate::gate::argv::{Taint, Word};
use crate::gate::glob::UNKNOWN;
use crate::gate::variable::OWN_PATH;

/// Longest value that is followed. Danger: `x=$x$x` doubles a text with each line.
pub(crate) const VALUE_BYTES_MAX: usize = 64 << 10;
/// Most words of one list that are followed. Danger: `a=("${a[@]}" "${a[@]}")` doubles a list with each line.
const LIST_WORDS_MAX: usize = 4_096;
/// Most names that are followed: of variables, of functions, of what is exported. A script with more is
/// too complex. Danger: each subshell that sets one copies them all, and each branch compares them all.
const NAMES_MAX: usize = 512;
/// Most bodies that one function or alias may have; of one with more only the run will tell. Danger: each
/// call follows all of them.
const MEANINGS_MAX: usize = 4;

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
/// Variables through which the shell takes one command for another.
const MEANINGS: &[&str] = &["BASH_CMDS", "BASH_ALIASES"];

/// Whether a variable by this name most likely holds a secret.
fn is_secret_name(name: &str) -> bool {
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "PRIVATE_KEY", "ACCESS_KEY", "CREDENTIAL"]
        .iter()
        .any(|part| name.contains(part))
}

/// What is known of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(Word),
    List(Vec<Word>),
    /// The words of a list of which only the run will tell which stands where.
    Loose(Vec<Word>),
    Unset,
}

impl Value {
    fn is_number(&self) -> bool {
        matches!(self, Value::Text(word) if !word.text.is_empty() && word.text.bytes().all(|byte| byte.is_ascii_digit()))
    }

    fn holds(&self, text: &str) -> bool {
        matches!(self, Value::Text(word) if word.text.contains(text))
    }

    fn words(&self) -> &[Word] {
        match self {
            Value::Text(word) => std::slice::from_ref(word),
            Value::List(words) | Value::Loose(words) => words,
            Value::Unset => &[],
        }
    }

    fn taint(&self) -> Taint {
        self.words().iter().map(|word| word.taint).max().unwrap_or_default()
    }

    fn unknown(taint: Taint) -> Rc<Self> {
        Rc::new(Value::Text(Word::unknown(taint)))
    }

    /// The value, or unknown when it is more than is followed.
    fn bounded(self) -> Self {
        let bytes: usize = self.words().iter().map(|word| word.text.len()).sum();
        if bytes > VALUE_BYTES_MAX || self.words().len() > LIST_WORDS_MAX {
            return Value::Text(Word::unknown(self.taint()));
        }
        self
    }
}

/// What a function does; the text tells two of them apart.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub tree: Rc<FunctionBody>,
    text: Rc<str>,
}

/// What a name stands for as a command, besides the program.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    /// Any of them may be the one.
    pub bodies: Vec<Body>,
    /// It is defined, whichever way the script went: the program by this name is not run.
    pub is_certain: bool,
    is_exported: bool,
}

/// What another shell gets of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passing {
    /// The environment: what is exported.
    Exported,
    /// Some of the environment, which the run will tell: under `sudo`, in a login shell.
    Perhaps,
    /// Nothing: it runs elsewhere.
    Nothing,
}

/// Whether commands see a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Exported {
    /// By its name the environment most likely holds it already.
    Usually,
    /// The script exports it, on some of the ways that it may have gone.
    Perhaps,
    Certainly,
}

/// A variable as it was, to be put back by [`Scope::restore`].
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    value: Option<Rc<Value>>,
    is_read_only: bool,
    exported: Option<Exported>,
}

/// The state of the shell at one point of the script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    // Shared until changed: every subshell starts with a copy.
    variables: Rc<HashMap<String, Rc<Value>>>,
    functions: Rc<HashMap<String, Function>>,
    aliases: Rc<HashMap<String, Vec<Rc<str>>>>,
    /// `$1` and on, where the script or a call sets them.
    pub positional: Option<Vec<Word>>,
    /// `$0`, where a carrier sets it.
    pub zero: Option<Word>,
    /// Unknown after a `cd` to where only the run will tell.
    pub directory: Option<String>,
    /// The names of the variables that commands of the script may see.
    exported_names: Rc<Vec<String>>,
    exported: Rc<HashMap<String, Exported>>,
    /// Arrays whose keys are text.
    pub associative: Rc<HashSet<String>>,
    /// Variables that take no other value any more.
    read_only: Rc<HashSet<String>>,
    /// Variables that change by other ways than by their name: by a reference, by a trap.
    volatile: Rc<HashSet<String>>,
    /// Names that stand for others: `declare -n p=PATH`. None: for the one that it is set to first.
    references: Rc<HashMap<String, Option<String>>>,
    /// The names that were set since the last command, by whatever sets names: an assignment, `read`, `for`,
    /// `${NAME:=x}`. What they mean to programs is looked at in one place.
    pub set_lately: Vec<String>,
    /// A trap changes the folder.
    is_moving: bool,
    /// Any variable may change by another way than by its name.
    is_wild: bool,
    /// The last command of a pipeline runs in the shell itself.
    pub has_last_pipe: bool,
    /// Nothing follows this: the shell has ended, or has left the function or the round at hand.
    pub is_over: bool,
    /// There are more names than are followed.
    pub is_overfull: bool,
    /// A variable was set through which the shell takes one command for another.
    pub changes_meaning: bool,
}

impl Scope {
    pub(crate) fn new(directory: Option<&str>) -> Self {
        Self { directory: directory.map(str::to_owned), ..Self::default() }
    }

    /// The state in which another shell begins.
    pub(crate) fn inner(&self, passing: Passing) -> Self {
        if passing == Passing::Nothing {
            return Self::default();
        }
        let mut inner = Self::new(self.directory.as_deref());
        let is_passed = |name: &str, value: &Value| {
            passing == Passing::Exported
                && matches!(value, Value::Text(_))
                && !self.is_volatile(name)
                && self.exported.get(name) == Some(&Exported::Certainly)
        };
        let variables = self.variables.iter().filter(|(name, _)| *name != "IFS").map(|(name, value)| {
            // What is not exported may still stand in the environment, under the same name.
            let passed = match **value {
                Value::Unset => value.clone(),
                _ if is_passed(name, value) => value.clone(),
                _ => Value::unknown(value.taint()),
            };
            (name.clone(), passed)
        });
        let mut variables: HashMap<String, Rc<Value>> = variables.collect();
        for name in self.volatile.iter().filter(|name| *name != "IFS") {
            variables.insert(name.clone(), Value::unknown(Taint::None));
        }
        inner.variables = Rc::new(variables);
        inner.exported_names = self.exported_names.clone();
        inner.exported = self.exported.clone();
        inner.is_wild = self.is_wild;
        if passing == Passing::Exported {
            // Only some shells take functions from the environment, so they are never certain.
            let exported = self.functions.iter().filter(|(_, function)| function.is_exported);
            let uncertain =
                exported.map(|(name, function)| (name.clone(), Function { is_certain: false, ..function.clone() }));
            inner.functions = Rc::new(uncertain.collect());
        }
        inner
    }

    pub(crate) fn set(&mut self, name: &str, value: Value) {
        if self.references.get(name).is_some_and(Option::is_none) {
            self.refer(name, Some(&value));
            return;
        }
        let name = &self.referred(name).to_owned();
        self.note_set(name);
        if self.read_only.contains(name) {
            return;
        }
        // An array whose first element is set stays an array.
        let value = match (value, self.variables.get(name.as_str()).map(Rc::as_ref)) {
            (Value::Text(word), Some(Value::List(old))) if !old.is_empty() => {
                let mut words = old.clone();
                words.splice(..1, [word]);
                Value::List(words)
            }
            (Value::Text(word), Some(Value::Loose(old))) => Value::Loose(old.iter().cloned().chain([word]).collect()),
            (value, _) => value,
        };
        self.put(name, Rc::new(value.bounded()));
    }

    fn note_set(&mut self, name: &str) {
        if MEANINGS.contains(&name) {
            self.changes_meaning = true;
        }
        if !self.set_lately.iter().any(|own| own == name) {
            self.set_lately.push(name.to_owned());
        }
    }

    fn put(&mut self, name: &str, value: Rc<Value>) {
        if self.variables.len() >= NAMES_MAX && !self.variables.contains_key(name) {
            self.is_overfull = true;
            return;
        }
        Rc::make_mut(&mut self.variables).insert(name.to_owned(), value);
    }

    /// What a copy of the state costs. Danger: a long list, and thousands of commands that each copy it.
    pub(crate) fn weight(&self) -> usize {
        const WORK_PER_ITEM: usize = 16;
        let words = self.positional.as_ref().map_or(0, Vec::len);
        (words + self.variables.len() + self.functions.len()) * WORK_PER_ITEM
    }

    /// `name[index]=word`.
    pub(crate) fn set_element(&mut self, name: &str, index: Option<usize>, word: Word) {
        let name = &self.referred(name).to_owned();
        self.note_set(name);
        let mut words = match self.variables.get(name).map(Rc::as_ref) {
            Some(Value::Unset) => vec![],
            Some(value) => value.words().to_vec(),
            None => vec![],
        };
        let is_loose = self.is_loose(name) || self.associative.contains(name);
        let value = match index {
            Some(at) if !is_loose && at < words.len() => {
                words.splice(at..=at, [word]);
                Value::List(words)
            }
            Some(at) if !is_loose && at == words.len() => {
                words.push(word);
                Value::List(words)
            }
            _ => {
                words.push(word);
                Value::Loose(words)
            }
        };
        if !self.read_only.contains(name) {
            self.put(name, Rc::new(value.bounded()));
        }
    }

    /// An element of the list is gone, or stands elsewhere.
    pub(crate) fn loosen(&mut self, name: &str) {
        if let Some(Value::List(words)) = self.variables.get(name).map(Rc::as_ref) {
            let words = words.clone();
            self.put(name, Rc::new(Value::Loose(words)));
        }
    }

    /// Whether it is not certain which word of the variable has which number.
    pub(crate) fn is_loose(&self, name: &str) -> bool {
        match self.variables.get(name).map(Rc::as_ref) {
            Some(Value::Loose(_)) => true,
            Some(Value::List(words)) => words.iter().any(|word| word.is_glob || word.text == UNKNOWN.to_string()),
            _ => false,
        }
    }

    /// `declare -n name=target`: from here on the one stands for the other. Without a target it will stand for
    /// the first that it is set to.
    pub(crate) fn refer(&mut self, name: &str, target: Option<&Value>) {
        let target = match target {
            Some(Value::Text(word)) if word.is_known() => match word.text.split_once('[') {
                None => Some(word.text.clone()),
                Some((base, _)) => {
                    let base = base.to_owned();
                    self.make_volatile(&base);
                    Some(base)
                }
            },
            None | Some(Value::Unset) => None,
            Some(_) => {
                self.is_wild = true;
                None
            }
        };
        if let Some(target) = target.as_deref().filter(|target| MEANINGS.contains(target)) {
            self.note_set(target);
        }
        if self.references.len() >= NAMES_MAX {
            self.is_overfull = true;
        } else {
            Rc::make_mut(&mut self.references).insert(name.to_owned(), target);
        }
    }

    pub(crate) fn is_reference(&self, name: &str) -> bool {
        self.references.contains_key(name)
    }

    /// The variable that a name stands for. Danger: names that stand for each other.
    fn referred<'n>(&'n self, name: &'n str) -> &'n str {
        const REFERENCES_MAX: usize = 8;
        let mut name = name;
        for _ in 0..REFERENCES_MAX {
            match self.references.get(name) {
                Some(Some(target)) => name = target,
                _ => break,
            }
        }
        name
    }

    /// From here on only the run will tell what the variable holds.
    pub(crate) fn make_volatile(&mut self, name: &str) {
        self.changes_meaning |= MEANINGS.contains(&name);
        if self.volatile.len() >= NAMES_MAX {
            self.is_overfull = true;
        } else if !self.volatile.contains(name) {
            Rc::make_mut(&mut self.volatile).insert(name.to_owned());
        }
    }

    fn is_volatile(&self, name: &str) -> bool {
        self.is_wild || self.volatile.contains(name)
    }

    /// What differs in `other`, which may happen at any time from here on, is unknown for good.
    pub(crate) fn expect_any_time(&mut self, other: &Self) {
        let changed = other.variables.iter().filter(|(name, value)| self.variables.get(*name) != Some(*value));
        let names: Vec<String> = changed.map(|(name, _)| name.clone()).collect();
        names.iter().for_each(|name| self.make_volatile(name));
        if self.directory != other.directory {
            self.is_moving = true;
            self.directory = None;
        }
        if self.positional != other.positional {
            self.positional = None;
        }
        self.meet_meanings(other);
    }

    pub(crate) fn move_to(&mut self, directory: Option<String>) {
        self.directory = directory.filter(|_| !self.is_moving);
        // The shell sets both itself.
        if self.variables.contains_key("PWD") {
            Rc::make_mut(&mut self.variables).remove("PWD");
        }
        self.set("OLDPWD", Value::Text(Word::unknown(Taint::None)));
    }

    pub(crate) fn make_read_only(&mut self, name: &str) {
        if self.read_only.len() >= NAMES_MAX {
            self.is_overfull = true;
        } else if !self.read_only.contains(name) {
            Rc::make_mut(&mut self.read_only).insert(name.to_owned());
        }
    }

    pub(crate) fn make_associative(&mut self, name: &str) {
        if self.associative.len() >= NAMES_MAX {
            self.is_overfull = true;
        } else if !self.associative.contains(name) {
            Rc::make_mut(&mut self.associative).insert(name.to_owned());
        }
    }

    /// Commands see the variable from here on.
    pub(crate) fn export(&mut self, name: &str) {
        self.export_as(name, Exported::Certainly);
    }

    /// Commands most likely see the variable, since the environment has it.
    pub(crate) fn export_usual(&mut self, name: &str) {
        self.export_as(name, Exported::Usually);
    }

    fn export_as(&mut self, name: &str, exported: Exported) {
        match self.exported.get(name) {
            Some(own) if *own >= exported => {}
            Some(_) => drop(Rc::make_mut(&mut self.exported).insert(name.to_owned(), exported)),
            None if self.exported.len() >= NAMES_MAX => self.is_overfull = true,
            None => {
                Rc::make_mut(&mut self.exported).insert(name.to_owned(), exported);
                Rc::make_mut(&mut self.exported_names).push(name.to_owned());
            }
        }
    }

    /// Commands may not see the variable any more.
    pub(crate) fn withhold(&mut self, name: &str) {
        if self.exported.get(name) == Some(&Exported::Certainly) {
            Rc::make_mut(&mut self.exported).insert(name.to_owned(), Exported::Perhaps);
        }
    }

    /// Whether the script itself exports the variable, on some way that it may have gone.
    pub(crate) fn is_exported(&self, name: &str) -> bool {
        self.exported.get(name).is_some_and(|own| *own >= Exported::Perhaps)
    }

    pub(crate) fn exported_names(&self) -> Rc<Vec<String>> {
        self.exported_names.clone()
    }

    pub(crate) fn function(&self, name: &str) -> Option<Function> {
        self.functions.get(name).cloned()
    }

    pub(crate) fn define(&mut self, name: &str, body: FunctionBody) {
        let old = self.functions.get(name);
        let is_exported = old.is_some_and(|old| old.is_exported);
        if old.is_none() && self.functions.len() >= NAMES_MAX {
            self.is_overfull = true;
            return;
        }
        let text = Rc::from(body.to_string());
        let mut bodies = vec![Body { tree: Rc::new(body), text }];
        let mut is_certain = true;
        // A trap may put the other back; `readonly -f` keeps the old one.
        if self.is_volatile(&function_key(name)) {
            bodies.extend(old.iter().flat_map(|old| old.bodies.iter().cloned()));
            bodies.truncate(MEANINGS_MAX);
            is_certain = false;
        }
        Rc::make_mut(&mut self.functions).insert(name.to_owned(), Function { bodies, is_certain, is_exported });
    }

    /// The function may be gone.
    pub(crate) fn doubt_function(&mut self, name: &str) {
        if self.functions.contains_key(name)
            && let Some(function) = Rc::make_mut(&mut self.functions).get_mut(name)
        {
            function.is_certain = false;
        }
    }

    /// Any function may be gone, or have another body from here on.
    pub(crate) fn doubt_all_functions(&mut self) {
        Rc::make_mut(&mut self.functions).values_mut().for_each(|function| function.is_certain = false);
    }

    /// The function keeps its body, whatever comes.
    pub(crate) fn keep_function(&mut self, name: &str) {
        self.make_volatile(&function_key(name));
    }

    pub(crate) fn export_function(&mut self, name: &str) {
        if self.functions.contains_key(name)
            && let Some(function) = Rc::make_mut(&mut self.functions).get_mut(name)
        {
            function.is_exported = true;
        }
    }

    pub(crate) fn alias(&self, name: &str) -> Vec<Rc<str>> {
        self.aliases.get(name).cloned().unwrap_or_default()
    }

    pub(crate) fn set_alias(&mut self, name: &str, body: &str) {
        if self.aliases.len() >= NAMES_MAX && !self.aliases.contains_key(name) {
            self.is_overfull = true;
            return;
        }
        Rc::make_mut(&mut self.aliases).insert(name.to_owned(), vec![Rc::from(body)]);
    }

    /// None: all of them.
    pub(crate) fn remove_alias(&mut self, name: Option<&str>) {
        match name {
            Some(name) => drop(Rc::make_mut(&mut self.aliases).remove(name)),
            None => self.aliases = Rc::default(),
        }
    }

    /// The state where this one and `other` come together again: after a branch of which only the run
    /// will tell whether it was taken. What both agree on is kept, and so is what one of them alone
    /// has set; what they disagree on is unknown.
    pub(crate) fn meet(&mut self, other: &Self) {
        if other.is_over {
            self.take_notes(other);
            return;
        }
        if self.is_over {
            let over = std::mem::replace(self, other.clone());
            self.take_notes(&over);
            return;
        }
        if !Rc::ptr_eq(&self.variables, &other.variables) {
            for (name, value) in other.variables.iter() {
                match self.variables.get(name) {
                    Some(own) if Rc::ptr_eq(own, value) || own == value => {}
                    // A counter: which number it is does not matter.
                    Some(own) if own.is_number() && value.is_number() => {
                        self.put(name, Rc::new(Value::Text(Word::plain("0"))));
                    }
                    // Both were looked at when they were set.
                    Some(own) if name == "PATH" && own.holds(OWN_PATH) && value.holds(OWN_PATH) => {
                        self.put(name, Rc::new(Value::Text(Word::plain(OWN_PATH))));
                    }
                    Some(own) => {
                        let taint = own.taint().max(value.taint());
                        self.put(name, Value::unknown(taint));
                    }
                    None => self.put(name, value.clone()),
                }
            }
        }
        self.meet_meanings(other);
        if self.positional != other.positional {
            self.positional = None;
        }
        if self.directory != other.directory {
            self.directory = None;
        }
        if !Rc::ptr_eq(&self.exported, &other.exported) {
            for (name, exported) in other.exported.iter() {
                self.export_as(name, (*exported).min(Exported::Perhaps));
            }
            let perhaps: Vec<String> = self
                .exported
                .keys()
                .filter(|name| other.exported.get(*name) != Some(&Exported::Certainly))
                .cloned()
                .collect();
            perhaps.iter().for_each(|name| self.withhold(name));
        }
        // What one of them alone has made so may have any value from here on.
        if !Rc::ptr_eq(&self.read_only, &other.read_only) {
            let doubtful: Vec<String> = self.read_only.symmetric_difference(&other.read_only).cloned().collect();
            for name in &doubtful {
                self.make_volatile(name);
            }
        }
        if !Rc::ptr_eq(&self.volatile, &other.volatile) {
            other.volatile.iter().for_each(|name| self.make_volatile(name));
        }
        if !Rc::ptr_eq(&self.references, &other.references) {
            let mut doubtful: Vec<String> = vec![];
            for (name, target) in self.references.iter().chain(other.references.iter()) {
                if self.references.get(name) != other.references.get(name) {
                    doubtful.extend([Some(name.clone()), target.clone()].into_iter().flatten());
                }
            }
            doubtful.iter().for_each(|name| self.make_volatile(name));
            let all: Vec<_> = other.references.iter().map(|(name, target)| (name.clone(), target.clone())).collect();
            Rc::make_mut(&mut self.references).extend(all);
        }
        if !Rc::ptr_eq(&self.associative, &other.associative) {
            Rc::make_mut(&mut self.associative).extend(other.associative.iter().cloned());
        }
        self.is_moving |= other.is_moving;
        self.is_wild |= other.is_wild;
        self.has_last_pipe |= other.has_last_pipe;
        self.take_notes(other);
    }

    /// What is to be told of a state, even when nothing else of it is left.
    pub(crate) fn take_notes(&mut self, other: &Self) {
        self.is_overfull |= other.is_overfull;
        self.changes_meaning |= other.changes_meaning;
    }

    /// Functions and aliases of either way.
    fn meet_meanings(&mut self, other: &Self) {
        if !Rc::ptr_eq(&self.functions, &other.functions) {
            let functions = Rc::make_mut(&mut self.functions);
            for (name, function) in functions.iter_mut() {
                function.is_certain &= other.functions.get(name).is_some_and(|other| other.is_certain);
            }
            for (name, other) in other.functions.iter() {
                let Some(own) = functions.get_mut(name) else {
                    functions.insert(name.clone(), Function { is_certain: false, ..other.clone() });
                    continue;
                };
                own.is_exported |= other.is_exported;
                for body in &other.bodies {
                    if !own.bodies.iter().any(|own| own.text == body.text) {
                        own.bodies.push(body.clone());
                    }
                }
            }
            let doubtful: Vec<String> = functions
                .iter()
                .filter(|(_, function)| function.bodies.len() > MEANINGS_MAX)
                .map(|(name, _)| name.clone())
                .collect();
            // From here on only the run will tell what these names do.
            for name in doubtful {
                functions.remove(&name);
                Rc::make_mut(&mut self.aliases).insert(name, vec![Rc::from(UNKNOWN.to_string())]);
            }
        }
        if !Rc::ptr_eq(&self.aliases, &other.aliases) {
            let aliases = Rc::make_mut(&mut self.aliases);
            for (name, texts) in other.aliases.iter() {
                let own = aliases.entry(name.clone()).or_default();
                for text in texts {
                    if !own.contains(text) {
                        own.push(text.clone());
                    }
                }
                if own.len() > MEANINGS_MAX {
                    *own = vec![Rc::from(UNKNOWN.to_string())];
                }
            }
        }
    }

    /// Whether nothing that a command depends on differs.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let functions = |one: &Self, other: &Self| {
            one.functions.len() == other.functions.len()
                && one.functions.iter().all(|(name, function)| {
                    other.functions.get(name).is_some_and(|other| {
                        other.is_certain == function.is_certain && other.bodies.len() == function.bodies.len()
                    })
                })
        };
        (Rc::ptr_eq(&self.variables, &other.variables) || self.variables == other.variables)
            && self.directory == other.directory
            && self.positional == other.positional
            && (Rc::ptr_eq(&self.functions, &other.functions) || functions(self, other))
            && (Rc::ptr_eq(&self.aliases, &other.aliases) || self.aliases == other.aliases)
            && (Rc::ptr_eq(&self.volatile, &other.volatile) || self.volatile == other.volatile)
            && (Rc::ptr_eq(&self.exported, &other.exported) || self.exported == other.exported)
            && self.is_wild == other.is_wild
            && self.is_over == other.is_over
    }

    /// What is kept of a variable, to be put back by [`Scope::restore`].
    pub(crate) fn raw(&self, name: &str) -> Kept {
        Kept {
            value: self.variables.get(name).cloned(),
            is_read_only: self.read_only.contains(name),
            exported: self.exported.get(name).copied(),
        }
    }

    pub(crate) fn restore(&mut self, name: &str, kept: Kept) {
        if self.read_only.contains(name) != kept.is_read_only {
            let names = Rc::make_mut(&mut self.read_only);
            let _ = if kept.is_read_only { names.insert(name.to_owned()) } else { names.remove(name) };
        }
        if kept.exported != Some(Exported::Certainly) {
            self.withhold(name);
        }
        match kept.value {
            Some(value) => self.put(name, value),
            None => drop(Rc::make_mut(&mut self.variables).remove(name)),
        }
    }

    /// Whether the script itself says what the variable holds.
    pub(crate) fn is_assigned(&self, name: &str) -> bool {
        let name = self.referred(name);
        self.variables.contains_key(name) || self.volatile.contains(name)
    }

    /// The words a variable stands for.
    pub(crate) fn get(&self, name: &str) -> Vec<Word> {
        let name = self.referred(name);
        if self.is_volatile(name) {
            return vec![Word::unknown(self.variables.get(name).map(|value| value.taint()).unwrap_or_default())];
        }
        match self.variables.get(name) {
            Some(value) => value.words().to_vec(),
            None => match (name, &self.directory) {
                ("PATH", _) => vec![Word::plain(OWN_PATH)],
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

    /// The word that the name alone stands for.
    pub(crate) fn first(&self, name: &str) -> Option<Word> {
        let words = self.get(name);
        if self.is_loose(name) && words.len() > 1 {
            return Some(Word::unknown(words.iter().map(|word| word.taint).max().unwrap_or_default()));
        }
        words.into_iter().next()
    }
}

/// Functions have names of their own, beside the variables.
fn function_key(name: &str) -> String {
    format!("{name}()")
}
