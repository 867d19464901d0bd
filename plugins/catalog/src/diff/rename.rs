//! Which tables and columns that are gone are there under another name.
//!
//! Evidence is weighed in log odds: each fact adds for or against, the sum is a probability. The weights were set by hand
//! and looked at on generated schemas; `tests/renames.rs` measures them on others. Where the database's own numbers can
//! be compared (one origin) they decide, but for what was built anew with the same content: that is a rename for those
//! who read. A column that is added goes to the end of its table, so a new name between old ones is a rename.

use std::collections::{HashMap, HashSet};

use crate::diff::assignment::best;
use crate::diff::change::ChangeKind;
use crate::diff::{resemblance, types};
use crate::schema::{Column, Index, Snapshot, Table};

/// From which probability on a rename is claimed.
const SURE_ENOUGH: f64 = 0.7;

/// How things of before are called today.
#[derive(Debug, Default)]
pub(crate) struct Renames {
    /// From places in the old snapshot to places in the new one: all that are in both.
    pub(crate) tables: HashMap<usize, (usize, f64)>,
    /// For each old table, from old column names to new ones: only those that differ.
    pub(crate) columns: HashMap<usize, HashMap<String, (String, f64)>>,
}

/// What is recognised between two snapshots.
pub(crate) fn recognise(old: &Snapshot, new: &Snapshot) -> Renames {
    let is_one_origin = old.origin.is_some() && old.origin == new.origin;
    let mut renames = Renames { tables: tables(old, new, is_one_origin), columns: HashMap::new() };
    let paths: HashMap<String, String> = renames
        .tables
        .iter()
        .filter_map(|(from, (to, _))| Some((old.tables.get(*from)?.path(), new.tables.get(*to)?.path())))
        .collect();
    let readers = (Readers::of(old, Some(&paths)), Readers::of(new, None));
    for (from, (to, _)) in &renames.tables {
        if let (Some(before), Some(after)) = (old.tables.get(*from), new.tables.get(*to)) {
            let pair = Pair { before, after, is_one_origin, paths: &paths, readers: (&readers.0, &readers.1) };
            let found = pair.columns();
            if !found.is_empty() {
                renames.columns.insert(*from, found);
            }
        }
    }
    renames
}

/// Which views read which columns, by today's paths of tables.
struct Readers(HashMap<String, HashSet<String>>);

impl Readers {
    fn of(snapshot: &Snapshot, paths: Option<&HashMap<String, String>>) -> Self {
        let today = |path: &str| paths.and_then(|paths| paths.get(path)).cloned().unwrap_or_else(|| path.to_owned());
        let mut readers: HashMap<String, HashSet<String>> = HashMap::new();
        for view in &snapshot.tables {
            for column in &view.reads_columns {
                readers.entry(column.clone()).or_default().insert(today(&view.path()));
            }
        }
        Self(readers)
    }

    fn get(&self, table: &Table, column: &Column) -> Option<&HashSet<String>> {
        self.0.get(&format!("{}.{}", table.path(), column.name))
    }
}

fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

fn log_odds(probability: f64) -> f64 {
    (probability / (1.0 - probability)).ln()
}

/// How far the pair is above the next best of its row and column; large where there is none.
fn margin(scores: &[Vec<Option<f64>>], row: usize, column: usize) -> f64 {
    let score = scores.get(row).and_then(|line| line.get(column)).copied().flatten().unwrap_or(f64::NEG_INFINITY);
    let in_row = scores.get(row).into_iter().flatten().enumerate().filter(|(at, _)| *at != column);
    let in_column = scores.iter().enumerate().filter(|(at, _)| *at != row).map(|(_, line)| line.get(column));
    let others = in_row.filter_map(|(_, score)| *score).chain(in_column.filter_map(|score| score.copied().flatten()));
    score - others.fold(f64::NEG_INFINITY, f64::max)
}

/// Pairs with their probability, of which is kept what is sure enough. That of two likely pairs one must be wrong lowers it.
fn choose(scores: &[Vec<Option<f64>>], columns: usize) -> Vec<(usize, usize, f64)> {
    let threshold = log_odds(SURE_ENOUGH);
    let above: Vec<Vec<Option<f64>>> =
        scores.iter().map(|line| line.iter().map(|score| score.map(|score| score - threshold)).collect()).collect();
    let pairs = best(&above, columns).into_iter();
    let sure = pairs.filter_map(|(row, column)| {
        let score = scores.get(row)?.get(column).copied().flatten()?;
        let sure = probability(score).min(probability(margin(scores, row, column) * 1.5));
        (sure >= SURE_ENOUGH).then_some((row, column, sure))
    });
    sure.collect()
}

fn tables(old: &Snapshot, new: &Snapshot, is_one_origin: bool) -> HashMap<usize, (usize, f64)> {
    let places: HashMap<(&str, &str), usize> = new
        .tables
        .iter()
        .enumerate()
        .map(|(place, table)| ((table.schema.as_str(), table.name.as_str()), place))
        .collect();
    let (mut found, mut gone, mut taken) = (HashMap::new(), Vec::new(), HashSet::new());
    for (place, table) in old.tables.iter().enumerate() {
        match places.get(&(table.schema.as_str(), table.name.as_str())) {
            Some(now) => {
                found.insert(place, (*now, 1.0));
                taken.insert(*now);
            }
            None => gone.push((place, table)),
        }
    }
    let come: Vec<(usize, &Table)> =
        new.tables.iter().enumerate().filter(|(place, _)| !taken.contains(place)).collect();
    if is_one_origin {
        let numbers: HashMap<u64, usize> =
            come.iter().filter_map(|(place, table)| Some((table.identity?, *place))).collect();
        gone.retain(|(place, table)| match table.identity.and_then(|number| numbers.get(&number)) {
            Some(now) => {
                found.insert(*place, (*now, 1.0));
                taken.insert(*now);
                false
            }
            None => true,
        });
    }
    let come: Vec<(usize, &Table)> = come.into_iter().filter(|(place, _)| !taken.contains(place)).collect();
    // Thousands against thousands is a schema that was replaced, and not renamed table by table.
    if gone.len().saturating_mul(come.len()) > 250_000 {
        return found;
    }
    let scores: Vec<Vec<Option<f64>>> = gone
        .iter()
        .map(|(_, before)| come.iter().map(|(_, after)| table_score(before, after, is_one_origin)).collect())
        .collect();
    for (row, column, sure) in choose(&scores, come.len()) {
        if let (Some((from, _)), Some((to, _))) = (gone.get(row), come.get(column)) {
            found.insert(*from, (*to, sure));
        }
    }
    found
}

/// Log odds that two tables are one.
fn table_score(before: &Table, after: &Table, is_one_origin: bool) -> Option<f64> {
    if before.kind != after.kind || before.columns.is_empty() {
        return None;
    }
    let types = |table: &Table| -> HashMap<String, String> {
        table.columns.iter().map(|column| (column.name.clone(), column.data_type.clone())).collect()
    };
    let (then, now) = (types(before), types(after));
    let common = then.iter().filter(|(name, kind)| now.get(*name) == Some(kind)).count() as f64;
    let all = (then.len() + now.len()) as f64 - common;
    let alike = common / all;
    if alike < 0.5 {
        return None;
    }
    // Names like `id` and `name` are in any table: what many columns have in common says more.
    let telling = (common / 6.0).min(1.0);
    let mut score = -2.0 + (alike - 0.5) * 2.0 * (1.0 + 2.5 * telling);
    let name = resemblance::names(&before.name, &after.name);
    score += (name - 0.35) * 3.0;
    if before.name == after.name {
        score += 1.5;
    }
    if is_one_origin && before.identity.is_some() && after.identity.is_some() {
        score -= 2.5;
    }
    let keys = |table: &Table| -> HashSet<(Vec<String>, String)> {
        table.foreign_keys.iter().map(|key| (key.columns.clone(), key.target.clone())).collect()
    };
    let (then, now) = (keys(before), keys(after));
    if !then.is_empty() || !now.is_empty() {
        score += if then == now { 1.0 } else { -0.7 };
    }
    // Names of indexes and checks stay when a table is renamed, and are never those of another table.
    let names = |table: &Table| -> HashSet<String> {
        let checks = table.checks.iter().map(|check| check.name.clone());
        let indexes = table.indexes.iter().map(|index| index.name.clone());
        let made = |name: &String| !name.is_empty() && !name.starts_with("sqlite_autoindex");
        indexes.chain(checks).chain(table.foreign_keys.iter().map(|key| key.name.clone())).filter(made).collect()
    };
    if names(before).intersection(&names(after)).next().is_some() {
        score += 3.0;
    }
    Some(score + content_of_tables(before, after))
}

fn content_of_tables(before: &Table, after: &Table) -> f64 {
    let pairs = before.columns.iter().filter_map(|column| Some((column, after.column(&column.name)?)));
    let alike: Vec<(f64, f64)> = pairs
        .filter_map(|(a, b)| resemblance::contents(a, b))
        .map(|likeness| (likeness.share * likeness.weight, likeness.weight))
        .collect();
    let weight: f64 = alike.iter().map(|(_, weight)| weight).sum();
    if weight < 0.1 {
        return 0.0;
    }
    let share = alike.iter().map(|(share, _)| share).sum::<f64>() / weight;
    // Numbers from one on are in each table, so that half in common is nothing.
    (share - 0.6) * 2.5 * (1.0 + weight.min(3.0))
}

/// A table then and now.
struct Pair<'a> {
    before: &'a Table,
    after: &'a Table,
    is_one_origin: bool,
    paths: &'a HashMap<String, String>,
    readers: (&'a Readers, &'a Readers),
}

impl Pair<'_> {
    fn columns(&self) -> HashMap<String, (String, f64)> {
        let mut gone: Vec<&Column> =
            self.before.columns.iter().filter(|column| self.after.column(&column.name).is_none()).collect();
        let mut come: Vec<&Column> =
            self.after.columns.iter().filter(|column| self.before.column(&column.name).is_none()).collect();
        let mut found = HashMap::new();
        if gone.is_empty() || come.is_empty() {
            return found;
        }
        let is_one_table = self.is_one_origin && self.before.identity == self.after.identity;
        if is_one_table {
            gone.retain(|column| match come.iter().position(|other| other.identity == column.identity) {
                Some(at) if column.identity.is_some() => {
                    found.insert(column.name.clone(), (come.swap_remove(at).name.clone(), 1.0));
                    false
                }
                _ => true,
            });
        }
        let (then, now) = (places(self.before, self.after), places(self.after, self.before));
        let scores: Vec<Vec<Option<f64>>> =
            gone.iter().map(|a| come.iter().map(|b| self.score(a, b, is_one_table, (&then, &now))).collect()).collect();
        for (row, column, sure) in choose(&scores, come.len()) {
            if let (Some(before), Some(after)) = (gone.get(row), come.get(column)) {
                found.insert(before.name.clone(), (after.name.clone(), sure));
            }
        }
        found
    }

    /// Log odds that two columns are one.
    fn score(&self, a: &Column, b: &Column, is_one_table: bool, places: (&Places, &Places)) -> Option<f64> {
        let content = resemblance::contents(a, b);
        let mut score = -1.2;
        score += match types::compare(a, b) {
            None => 0.6,
            Some(ChangeKind::TypeWidened) => -0.5,
            Some(ChangeKind::TypeNarrowed) => -1.0,
            Some(_) => -3.5,
        };
        if is_one_table && a.identity.is_some() && b.identity.is_some() {
            // The database says that it is another column: only the same content makes it the same for readers.
            score -= 4.0;
        } else if let (Some(then), Some(now)) = (places.0.get(&a.name), places.1.get(&b.name)) {
            score += then.weigh(now);
        }
        score += (resemblance::names(&a.name, &b.name) - 0.25) * 2.0;
        score += self.roles(a, b);
        if let Some(likeness) = content {
            let weight = likeness.weight * if self.is_like_another(a) { 0.5 } else { 1.0 };
            score += (likeness.share - 0.5) * 2.0 * (0.8 + 4.2 * weight);
        }
        if let (Some(then), Some(now)) = (&a.fingerprint, &b.fingerprint) {
            score += nulls(
                then.rows - then.present.min(then.rows),
                then.rows,
                now.rows - now.present.min(now.rows),
                now.rows,
            );
        }
        Some(score)
    }

    /// What the column does in its table: keys, indexes, views that read it, its default and comment.
    fn roles(&self, a: &Column, b: &Column) -> f64 {
        let mut score = 0.0;
        let is_in_key = |table: &Table, column: &Column| table.primary_key.contains(&column.name);
        score += match (is_in_key(self.before, a), is_in_key(self.after, b)) {
            (true, true) => 2.0,
            (false, false) => 0.0,
            _ => -2.0,
        };
        let targets = |table: &Table, column: &Column, paths: Option<&HashMap<String, String>>| -> HashSet<String> {
            let keys = table.foreign_keys.iter().filter(|key| key.columns.contains(&column.name));
            keys.map(|key| paths.and_then(|paths| paths.get(&key.target)).unwrap_or(&key.target).clone()).collect()
        };
        let (then, now) = (targets(self.before, a, Some(self.paths)), targets(self.after, b, None));
        score += match (then.is_empty() && now.is_empty(), then == now) {
            (true, _) => 0.0,
            (_, true) => 2.5,
            _ => -1.5,
        };
        let (then, now) = (index_places(self.before, a), index_places(self.after, b));
        score += match (then.is_empty() && now.is_empty(), then.intersection(&now).next().is_some()) {
            (true, _) => 0.0,
            (_, true) => 2.5,
            _ => -0.7,
        };
        let (then, now) = (self.readers.0.get(self.before, a), self.readers.1.get(self.after, b));
        if let (Some(then), Some(now)) = (then, now) {
            score += if then.intersection(now).next().is_some() { 1.5 } else { 0.0 };
        }
        let same = |a: &Option<String>, b: &Option<String>| match (a, b) {
            (None, None) => 0.0,
            (Some(a), Some(b)) if a == b => 0.8,
            _ => -0.8,
        };
        score += same(&a.default, &b.default) + 1.5 * same(&a.comment, &b.comment);
        score
            + if a.is_nullable == b.is_nullable { 0.0 } else { -0.5 }
            + if a.is_generated == b.is_generated { 0.0 } else { -2.0 }
    }

    /// Whether the content is no mark of this column, as another of its table has it too.
    fn is_like_another(&self, column: &Column) -> bool {
        let others = self.before.columns.iter().filter(|other| other.name != column.name);
        others.filter_map(|other| resemblance::contents(column, other)).any(|likeness| likeness.share > 0.8)
    }
}

fn nulls(nulls_then: u64, rows_then: u64, nulls_now: u64, rows_now: u64) -> f64 {
    if rows_then == 0 || rows_now == 0 {
        return 0.0;
    }
    let difference = (nulls_then as f64 / rows_then as f64 - nulls_now as f64 / rows_now as f64).abs();
    if difference > 0.3 { -1.5 } else { 0.2 }
}

/// Indexes that have the column, by name and place; an index keeps its name when a column is renamed. Names that SQLite
/// gives by counting say little, but the place in a key does.
fn index_places(table: &Table, column: &Column) -> HashSet<(String, usize)> {
    let quoted = crate::quote::quote(&column.name);
    let place = |index: &Index| {
        let is_it = |key: &String| {
            let key = key.strip_suffix(" DESC").unwrap_or(key);
            key == column.name || key == quoted
        };
        Some((index.name.clone(), index.columns.iter().position(is_it)?))
    };
    table.indexes.iter().filter_map(place).collect()
}

/// Where the columns are among those that kept their names.
type Places = HashMap<String, Place>;

#[derive(Clone, Debug)]
struct Place {
    /// The column before that kept its name: it says in which gap this one is.
    behind: Option<String>,
    /// How far behind it.
    offset: usize,
    /// How many are in the gap.
    size: usize,
    /// Whether no column behind it kept its name.
    is_at_the_end: bool,
}

impl Place {
    /// Log odds by the places alone. What is added goes to the end, so a new name in another gap is somebody's new name.
    fn weigh(&self, now: &Self) -> f64 {
        let is_one_to_one = self.size == now.size;
        match (self.behind == now.behind, self.is_at_the_end || now.is_at_the_end) {
            (false, _) => -2.5,
            (true, false) if is_one_to_one => {
                if self.offset == now.offset {
                    3.0
                } else {
                    -1.0
                }
            }
            (true, false) => 1.5,
            (true, true) if is_one_to_one => {
                if self.offset == now.offset {
                    0.8
                } else {
                    -0.8
                }
            }
            (true, true) => 0.2,
        }
    }
}

fn places(table: &Table, other: &Table) -> Places {
    let last_kept = table.columns.iter().rposition(|column| other.column(&column.name).is_some());
    let (mut behind, mut offset) = (None, 0);
    let mut sizes: HashMap<Option<String>, usize> = HashMap::new();
    let mut found = Places::new();
    for (at, column) in table.columns.iter().enumerate() {
        if other.column(&column.name).is_some() {
            (behind, offset) = (Some(column.name.clone()), 0);
        } else {
            let is_at_the_end = last_kept.is_none_or(|last| at > last);
            found.insert(column.name.clone(), Place { behind: behind.clone(), offset, size: 0, is_at_the_end });
            offset += 1;
            sizes.insert(behind.clone(), offset);
        }
    }
    for place in found.values_mut() {
        place.size = sizes.get(&place.behind).copied().unwrap_or(0);
    }
    found
}
