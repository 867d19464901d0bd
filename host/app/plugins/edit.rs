//! `pi.toml`, changed by commands: its comments and its order stay as a person wrote them.
//!
//! Pure: from one text to the next. The new text is checked as if it had been written by hand, so
//! that no command can write what the host would not take.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use similar::{ChangeTag, TextDiff};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use crate::config::{Config, ConfigError, FILE, Grant, Project, WITHOUT_FILE};
use crate::registry::atomic;

#[derive(Debug, thiserror::Error)]
pub enum EditError {
    #[error("{0} cannot be read: {1}")]
    Read(String, std::io::Error),
    #[error("{0} cannot be written: {1}\nhint: nothing was changed")]
    Write(String, std::io::Error),
    #[error("{0} was changed by somebody else meanwhile\nhint: nothing was changed; look at it, and do it again")]
    Changed(String),
    #[error("{FILE} cannot be changed: {0}")]
    Form(String),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(
        "`{0}` is no grant\nhint: write CAPABILITY, CAPABILITY.KEY=VALUE or CAPABILITY.KEY=VALUE,VALUE: files.read=data,logs"
    )]
    Word(String),
    #[error("`{word}` cannot be granted: {reason}\nhint: docs/plugins.md has every capability and its keys")]
    Grant { word: String, reason: String },
    #[error("{place} is not in {FILE}: there is nothing to take back")]
    NotThere { place: String },
}

/// What some editors begin a file with.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// One text of `pi.toml` and the next.
pub struct Edit {
    file: std::path::PathBuf,
    before: String,
    document: DocumentMut,
}

/// A grant as the command line names it: `files.read=data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantWord {
    pub capability: String,
    pub key: Option<String>,
    pub value: Option<String>,
}

impl GrantWord {
    /// Read `CAPABILITY[.KEY[=VALUE]]`.
    ///
    /// # Errors
    /// It has another form.
    pub fn parse(word: &str) -> Result<Self, EditError> {
        let wrong = || EditError::Word(word.to_owned());
        let (place, value) = word.split_once('=').map_or((word, None), |(place, value)| (place, Some(value)));
        let (capability, key) =
            place.split_once('.').map_or((place, None), |(capability, key)| (capability, Some(key)));
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        if value.is_some_and(|value| value.split(',').any(|part| part.trim().is_empty())) {
            return Err(wrong());
        }
        if !is_name(capability) || key.is_some_and(|key| !is_name(key)) || value.is_some() && key.is_none() {
            return Err(wrong());
        }
        let (key, value) = (key.map(str::to_owned), value.map(str::to_owned));
        Ok(Self { capability: capability.to_owned(), key, value })
    }
}

impl Edit {
    /// Begin with what the project's file holds; where there is none, with what holds without one.
    ///
    /// # Errors
    /// The file cannot be read, or is no TOML.
    pub fn begin(project: &Project) -> Result<Self, EditError> {
        let file = project.directory.join(FILE);
        let name = file.display().to_string();
        let (before, text) = if project.has_file {
            let text = std::fs::read_to_string(&file).map_err(|error| EditError::Read(name, error))?;
            (text.clone(), text)
        } else {
            (String::new(), WITHOUT_FILE.to_owned())
        };
        let document = text
            .trim_start_matches(BYTE_ORDER_MARK)
            .parse::<DocumentMut>()
            .map_err(|error| EditError::Form(error.to_string()))?;
        Ok(Self { file, before, document })
    }

    /// Set a text in a table of the file: `["plugins", "x"]`, `source`.
    ///
    /// # Errors
    /// Something stands there that is no table.
    pub fn set(&mut self, path: &[&str], key: &str, value: &str) -> Result<(), EditError> {
        put(self.table(path)?, key, value.into());
        Ok(())
    }

    /// Put an empty table where there is none.
    ///
    /// # Errors
    /// Something stands there that is no table.
    pub fn add_table(&mut self, path: &[&str]) -> Result<(), EditError> {
        self.table(path).map(|_| ())
    }

    /// Remove a whole table; whether it was there.
    pub fn remove(&mut self, path: &[&str]) -> bool {
        let Some((last, above)) = path.split_last() else { return false };
        let mut item: &mut Item = self.document.as_item_mut();
        for name in above {
            match item.get_mut(name) {
                Some(inner) => item = inner,
                None => return false,
            }
        }
        let is_removed = item.as_table_like_mut().is_some_and(|table| table.remove(last).is_some());
        // A heading that holds nothing any more goes with it.
        if is_removed && item.as_table_like().is_some_and(|table| table.is_empty()) && above.len() > 1 {
            self.remove(above);
        }
        is_removed
    }

    /// Put a whole grant of one capability into `[grants.NAME.CAPABILITY]`. What stands there stays, and
    /// lists grow by what they do not have yet.
    ///
    /// # Errors
    /// Something stands there that is no table.
    pub fn merge_grant(&mut self, name: &str, capability: &str, grant: &toml::Table) -> Result<(), EditError> {
        let table = self.table(&["grants", name, capability])?;
        for (key, value) in grant {
            let value = edited(value);
            match (table.get_mut(key).and_then(Item::as_array_mut), &value) {
                (Some(there), Value::Array(new)) => {
                    for item in new {
                        if !there.iter().any(|old| same(old, item)) {
                            there.push(item.clone());
                        }
                    }
                }
                _ => put(table, key, value),
            }
        }
        Ok(())
    }

    /// Grant what a word of the command line says.
    ///
    /// # Errors
    /// There is no such capability or key, or the value does not fit it.
    pub fn grant(&mut self, name: &str, word: &GrantWord) -> Result<(), EditError> {
        let grant = match (&word.key, &word.value) {
            (Some(key), Some(value)) => fitting(&word.capability, key, value)?,
            (None, None) => check(&word.capability, &toml::Table::new()).map(|()| toml::Table::new())?,
            _ => {
                return Err(EditError::Word(format!(
                    "{}.{}",
                    word.capability,
                    word.key.as_deref().unwrap_or_default()
                )));
            }
        };
        self.merge_grant(name, &word.capability, &grant)
    }

    /// Take back a capability, a key of it, or one value of a key.
    ///
    /// # Errors
    /// It is not granted.
    pub fn revoke(&mut self, name: &str, word: &GrantWord) -> Result<(), EditError> {
        let path = ["grants", name, word.capability.as_str()];
        let place = format!("[{}]", path.join("."));
        let not_there = |place: String| EditError::NotThere { place };
        let Some(key) = &word.key else {
            return if self.remove(&path) { Ok(()) } else { Err(not_there(place)) };
        };
        let mut item: &mut Item = self.document.as_item_mut();
        for part in path {
            item = item.get_mut(part).ok_or_else(|| not_there(place.clone()))?;
        }
        let at_key = format!("{place} {key}");
        let Some(value) = &word.value else {
            let removed = item.as_table_like_mut().and_then(|table| table.remove(key));
            return removed.map(|_| ()).ok_or_else(|| not_there(at_key));
        };
        let there = item.get_mut(key).ok_or_else(|| not_there(at_key.clone()))?;
        for wanted in value.split(',') {
            let found = there.as_array().and_then(|array| array.iter().position(|old| is_word(old, wanted)));
            match (found, there.as_array_mut()) {
                (Some(index), Some(array)) => drop(array.remove(index)),
                _ => return Err(not_there(format!("{at_key} = \"{wanted}\""))),
            }
        }
        Ok(())
    }

    /// What would change, as a unified diff; empty where nothing would.
    #[must_use]
    pub fn diff(&self) -> String {
        let after = self.after();
        let diff = TextDiff::from_lines(&self.before, &after);
        if self.before == after {
            return String::new();
        }
        diff.unified_diff().context_radius(2).header(FILE, FILE).to_string()
    }

    /// Whether anything would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.before == self.after()
    }

    /// What the configuration would be.
    ///
    /// # Errors
    /// The host would not take it.
    pub fn config(&self) -> Result<Config, EditError> {
        Ok(Config::parse(self.after().trim_start_matches(BYTE_ORDER_MARK), FILE)?)
    }

    /// Write it, whole or not at all.
    ///
    /// # Errors
    /// The host would not take the new text, or it cannot be written; the old one is as it was.
    pub fn write(&self) -> Result<(), EditError> {
        let held = self.hold()?;
        self.write_held(&held)
    }

    /// Keep other commands from changing what a project consists of, until it is dropped. Danger: who reads,
    /// changes and writes at the same time loses what the other has written.
    ///
    /// # Errors
    /// The folder cannot be opened.
    pub(super) fn hold(&self) -> Result<File, EditError> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let held = File::open(folder).and_then(|folder| folder.lock().map(|()| folder));
        held.map_err(|error| EditError::Write(folder.display().to_string(), error))
    }

    /// [`Edit::write`], by who holds the project.
    ///
    /// # Errors
    /// As of [`Edit::write`].
    pub(super) fn write_held(&self, _held: &File) -> Result<(), EditError> {
        self.config()?;
        let text = self.after();
        let shown = self.file.display().to_string();
        let failed = |error| EditError::Write(shown.clone(), error);
        let now = match std::fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failed(error)),
        };
        if now != self.before {
            return Err(EditError::Changed(shown));
        }
        // Through a link, so that the file which it names is replaced and not the link.
        let file = self.file.canonicalize().unwrap_or_else(|_| self.file.clone());
        let mode = std::fs::metadata(&file).map_or(0o644, |metadata| metadata.permissions().mode() & 0o777);
        atomic::write(&file, text.as_bytes(), mode).map_err(failed)
    }

    /// The new text. Lines that stay are as they were, to the byte: TOML has two ends of a line, and writes
    /// one of them.
    fn after(&self) -> String {
        as_written(&self.before, &self.document.to_string())
    }

    /// The table at a path, in the form in which it stands: what a person wrote inline stays inline.
    fn table(&mut self, path: &[&str]) -> Result<&mut dyn TableLike, EditError> {
        let mut item: &mut Item = self.document.as_item_mut();
        for (depth, name) in path.iter().enumerate() {
            let is_last = depth + 1 == path.len();
            let no_table =
                || EditError::Form(format!("`{}` is no table", path.get(..=depth).unwrap_or_default().join(".")));
            let is_inline = item.is_inline_table();
            let table = item.as_table_like_mut().ok_or_else(no_table)?;
            if !table.contains_key(name) {
                let new = if is_inline {
                    Item::Value(Value::InlineTable(InlineTable::new()))
                } else {
                    let mut new = Table::new();
                    // Headings that hold only other tables are not written.
                    new.set_implicit(!is_last);
                    Item::Table(new)
                };
                table.insert(name, new);
            }
            item = table.get_mut(name).filter(|item| item.is_table_like()).ok_or_else(no_table)?;
            if let Some(table) = item.as_table_mut().filter(|_| is_last) {
                table.set_implicit(false);
            }
        }
        item.as_table_like_mut().ok_or_else(|| EditError::Form(format!("`{}` is no table", path.join("."))))
    }
}

/// Set a key. What stands beside the value that it had, a comment, stays.
fn put(table: &mut dyn TableLike, key: &str, mut value: Value) {
    if let Some(old) = table.get(key).and_then(Item::as_value) {
        *value.decor_mut() = old.decor().clone();
    }
    table.insert(key, Item::Value(value));
}

/// `after`, with the lines that `before` has too as they stand there, and new ones ended as most there are.
fn as_written(before: &str, after: &str) -> String {
    let plain = |line: &str| line.replace("\r\n", "\n");
    let (mark, body) = match before.strip_prefix(BYTE_ORDER_MARK) {
        Some(body) => (Some(BYTE_ORDER_MARK), body),
        None => (None, before),
    };
    let old: Vec<&str> = body.split_inclusive('\n').collect();
    let is_crlf = old.iter().filter(|line| line.ends_with("\r\n")).count() * 2 > old.len();
    let before: Vec<String> = old.iter().map(|line| plain(line)).collect();
    let after: Vec<String> = after.split_inclusive('\n').map(plain).collect();
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    let new: Vec<&str> = after.iter().map(String::as_str).collect();
    let diff = TextDiff::from_slices(&before, &new);
    let mut text: String = mark.into_iter().collect();
    for change in diff.iter_all_changes() {
        match (change.tag(), change.old_index().and_then(|index| old.get(index))) {
            (ChangeTag::Equal, Some(line)) => text.push_str(line),
            (ChangeTag::Delete, _) => {}
            _ if is_crlf => text.push_str(&change.value().replace('\n', "\r\n")),
            _ => text.push_str(change.value()),
        }
    }
    text
}

/// Whether the host has this capability, and takes this grant of it.
///
/// # Errors
/// Which key or value it does not take, in serde's words.
pub(super) fn check(capability: &str, grant: &toml::Table) -> Result<(), EditError> {
    let mut whole = toml::Table::new();
    whole.insert(capability.to_owned(), toml::Value::Table(grant.clone()));
    let failed = |error: toml::de::Error| EditError::Grant {
        word: format!("{capability}.{grant}").trim().replace('\n', " "),
        reason: error.message().to_owned(),
    };
    whole.try_into::<Grant>().map(|_| ()).map_err(failed)
}

/// The value in the form that fits the key: a list of words, or TOML.
fn fitting(capability: &str, key: &str, value: &str) -> Result<toml::Table, EditError> {
    let table = |value: toml::Value| toml::Table::from_iter([(key.to_owned(), value)]);
    let written = toml::from_str::<toml::Table>(&format!("v = {value}")).ok().and_then(|mut table| table.remove("v"));
    let words = toml::Value::Array(value.split(',').map(|word| toml::Value::String(word.to_owned())).collect());
    let listed = written.clone().map(|value| toml::Value::Array(vec![value]));
    let text = toml::Value::String(value.to_owned());
    let mut complaint = None;
    for candidate in [written, Some(words), listed, Some(text)].into_iter().flatten() {
        let candidate = table(candidate);
        match check(capability, &candidate) {
            Ok(()) => return Ok(candidate),
            // The complaint about the value as a person wrote it says most.
            Err(EditError::Grant { reason, .. }) => complaint = complaint.or(Some(reason)),
            Err(other) => return Err(other),
        }
    }
    let word = format!("{capability}.{key}={value}");
    Err(EditError::Grant { word, reason: complaint.unwrap_or_default() })
}

fn edited(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(truth) => (*truth).into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => Value::Array(items.iter().map(edited).collect::<Array>()),
        toml::Value::Table(table) => {
            Value::InlineTable(table.iter().map(|(key, value)| (key.clone(), edited(value))).collect::<InlineTable>())
        }
    }
}

/// Equal but for how they are written.
fn same(one: &Value, other: &Value) -> bool {
    match (one.as_str(), other.as_str()) {
        (Some(one), Some(other)) => one == other,
        _ => one.to_string().split_whitespace().eq(other.to_string().split_whitespace()),
    }
}

/// Whether a value of a list is what a word names: a text, or a table of which the word is the name.
fn is_word(value: &Value, word: &str) -> bool {
    let named = |table: &InlineTable| {
        ["host", "name", "path"].iter().any(|key| table.get(key).and_then(Value::as_str) == Some(word))
    };
    value.as_str() == Some(word) || value.as_inline_table().is_some_and(named) || value.to_string().trim() == word
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# ours\n[plugins.a]\npath = \"a.wasm\" # near\n\n[grants.a.files]\n# what it reads\nread = [\"data\"]\n";

    fn edit(text: &str) -> Edit {
        Edit { file: "pi.toml".into(), before: text.into(), document: text.parse().unwrap() }
    }

    fn word(text: &str) -> GrantWord {
        GrantWord::parse(text).unwrap()
    }

    #[test]
    fn what_a_person_wrote_stays() {
        let mut edit = edit(TEXT);
        edit.grant("a", &word("files.read=logs,data")).unwrap();
        edit.grant("a", &word("process.network=true")).unwrap();
        edit.set(&["plugins", "b"], "source", "oci://r/b:1").unwrap();
        insta::assert_snapshot!(edit.diff(), @r#"
        --- pi.toml
        +++ pi.toml
        @@ -3,5 +3,11 @@
         path = "a.wasm" # near
         
        +[plugins.b]
        +source = "oci://r/b:1"
        +
         [grants.a.files]
         # what it reads
        -read = ["data"]
        +read = ["data", "logs"]
        +
        +[grants.a.process]
        +network = true
        "#);
    }

    #[test]
    fn lines_keep_their_ends_and_the_file_its_mark() {
        let text = format!("\u{feff}{}", TEXT.replace('\n', "\r\n"));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        std::fs::write(&file, &text).unwrap();
        let mut edit = Edit::begin(&Project::load(folder.path()).unwrap()).unwrap();
        assert!(edit.is_empty() && edit.diff().is_empty(), "{}", edit.diff());
        edit.grant("a", &word("files.read=logs")).unwrap();
        edit.grant("a", &word("process.network=true")).unwrap();
        edit.write().unwrap();
        let after = std::fs::read_to_string(&file).unwrap();
        let wanted = text.replace("[\"data\"]", "[\"data\", \"logs\"]");
        assert_eq!(after, format!("{wanted}\r\n[grants.a.process]\r\nnetwork = true\r\n"));
        // One line that somebody's editor ended otherwise stays so as well.
        let mixed = text.replacen("# ours\r\n", "# ours\n", 1);
        assert_eq!(as_written(&mixed, TEXT), mixed);
    }

    #[test]
    fn what_stands_inline_stays_inline_with_its_comments() {
        let text = "[grants]\na = { files = { read = [\"data\"] }, process = { network = false } } # why\n\n\
                    [grants.b]\nfiles = {\n  # what it reads\n  read = [\"x\"], # only this\n}\nlog = {} # said\n";
        let mut edit = edit(text);
        edit.grant("a", &word("files.read=logs")).unwrap();
        edit.grant("a", &word("process.network=true")).unwrap();
        edit.grant("a", &word("log")).unwrap();
        edit.grant("b", &word("files.read=y")).unwrap();
        edit.grant("b", &word("files.write=z")).unwrap();
        let after = edit.after();
        for kept in [" # why\n", "  # what it reads\n", "# only this\n", "log = {} # said\n"] {
            assert!(after.contains(kept), "{kept}: {after}");
        }
        assert!(!after.contains("[grants.a") && !after.contains("[grants.b.files]"), "{after}");
        let grants = edit.config().unwrap().grants;
        assert!(grants["a"].process.as_ref().unwrap().network && grants["a"].log.is_some());
        assert_eq!(grants["b"].files.as_ref().unwrap().write, ["z"]);
    }

    #[test]
    fn a_value_that_is_replaced_keeps_what_is_said_of_it() {
        let mut edit = edit("[grants.a.process]\nnetwork = false # not yet\n");
        edit.grant("a", &word("process.network=true")).unwrap();
        assert_eq!(edit.after(), "[grants.a.process]\nnetwork = true # not yet\n");
    }

    #[test]
    fn what_is_granted_is_taken_back_alone() {
        let mut edit = edit(TEXT);
        edit.grant("a", &word("files.read=logs")).unwrap();
        edit.revoke("a", &word("files.read=logs")).unwrap();
        assert_eq!(edit.document.to_string(), TEXT);
        edit.revoke("a", &word("files")).unwrap();
        assert!(!edit.document.to_string().contains("grants"), "{}", edit.document);
        assert!(edit.document.to_string().contains("# near"));
    }

    #[test]
    fn what_is_not_granted_cannot_be_taken_back() {
        for wanted in ["files.read=other", "files.write", "process", "files.write=x"] {
            let error = edit(TEXT).revoke("a", &word(wanted)).unwrap_err().to_string();
            assert!(error.contains("[grants.a."), "{error}");
        }
    }

    #[test]
    fn a_capability_or_key_that_is_not_known_is_an_error() {
        let errors: Vec<String> = ["filez.read=a", "files.raed=a", "process.timeout_ms_max=soon", "process.network=1"]
            .iter()
            .map(|wanted| edit(TEXT).grant("a", &word(wanted)).unwrap_err().to_string())
            .collect();
        for (error, part) in errors.iter().zip(["filez", "raed", "soon", "network"]) {
            assert!(error.contains(part) && error.contains("hint:"), "{error}");
        }
        assert!(["", ".", "a.b.c", "A=1", "files=x", "files."].iter().all(|text| GrantWord::parse(text).is_err()));
    }

    #[test]
    fn a_folder_without_a_file_keeps_what_held_there() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::load(folder.path()).unwrap();
        let mut edit = Edit::begin(&project).unwrap();
        edit.grant("x", &word("log")).unwrap();
        edit.write().unwrap();
        let after = Project::load(folder.path()).unwrap();
        let before = Config::without_file().grants;
        assert_eq!(before.len(), 3);
        for (name, grant) in before {
            assert_eq!(after.config.grants.get(&name), Some(&grant));
        }
    }

    #[test]
    fn what_the_host_would_not_take_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let text = format!("[policy]\nprofile = \"approve\"\n{TEXT}");
        std::fs::write(&file, &text).unwrap();
        let mut edit = Edit::begin(&Project::load(folder.path()).unwrap()).unwrap();
        // Written folders that are not judged go with the profile `auto` alone.
        edit.grant("a", &word("preopens.write=data")).unwrap();
        assert!(edit.write().is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }
}
