//! Series and their labelled windows, read from a folder as NAB lays it out. Each error names the file and the line.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use pi_signals::metric::seconds_of;
use pi_signals::nab::Window;

/// What a folder, a file and a line may have: a wrong path (a disk image, a device) must not fill the memory.
const FILES_MAX: usize = 2_000;
const FILE_BYTES_MAX: u64 = 256 << 20;
const LINE_BYTES_MAX: usize = 4096;
const ROWS_MAX: usize = 5_000_000;
const LABELS: &str = "windows.json";
/// How deep folders are looked into for series that have no entry.
const DEPTH_MAX: usize = 4;

#[derive(Debug, thiserror::Error)]
pub(super) enum CorpusError {
    #[error("{path} cannot be read: {source}\nhint: DIR holds folders of CSV files and windows.json")]
    Unreadable { path: String, source: std::io::Error },
    #[error(
        "{path}: {source}\nhint: the form is {{\"folder/file.csv\": [[\"2014-04-10 07:15:00\", \"2014-04-11 16:45:00\"]]}}"
    )]
    Labels { path: String, source: serde_json::Error },
    #[error("{path} line {line}: {what}\nhint: a line is `timestamp,value`, as `2014-04-10 07:15:00,19.5`")]
    Line { path: String, line: usize, what: String },
    #[error("{path}: {what}")]
    Entry { path: String, what: String },
    #[error("{path} has more than {limit} {of}")]
    TooMuch { path: String, limit: u64, of: &'static str },
}

/// A line of a series.
pub(super) struct Row {
    /// The time as it is written there.
    pub(super) stamp: String,
    pub(super) time: f64,
    /// Nothing where the line has none.
    pub(super) value: Option<f64>,
}

pub(super) struct Series {
    /// The path below the folder.
    pub(super) name: String,
    pub(super) rows: Vec<Row>,
    pub(super) windows: Vec<Window>,
}

pub(super) struct Corpus {
    pub(super) series: Vec<Series>,
    /// CSV files without an entry among the labels.
    pub(super) left_out: Vec<String>,
}

impl Corpus {
    pub(super) fn read(dir: &Path) -> Result<Self, CorpusError> {
        let path = dir.join(LABELS);
        let shown = path.display().to_string();
        let text = read_text(&path)?;
        let labels: BTreeMap<String, Vec<(String, String)>> =
            serde_json::from_str(&text).map_err(|source| CorpusError::Labels { path: shown.clone(), source })?;
        if labels.len() > FILES_MAX {
            return Err(CorpusError::TooMuch { path: shown, limit: FILES_MAX as u64, of: "files" });
        }
        let entry = |name: &str, what: String| CorpusError::Entry { path: format!("{shown}: `{name}`"), what };
        let mut series = Vec::with_capacity(labels.len());
        for (name, labelled) in &labels {
            if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(entry(name, "a path below the folder is needed, without `..`".into()));
            }
            let rows = read_rows(&dir.join(name))?;
            let mut windows = Vec::with_capacity(labelled.len());
            for (from, to) in labelled {
                let row = |stamp: &str| {
                    let time = seconds_of(stamp).ok_or_else(|| format!("`{stamp}` is no time"))?;
                    #[allow(clippy::float_cmp, reason = "the same instant, read by the same function")]
                    let found = rows.iter().position(|row| row.time == time);
                    found.ok_or_else(|| format!("no line of the series has the time `{stamp}`"))
                };
                let at = |stamp: &str| row(stamp).map_err(|what| entry(name, what));
                windows.push(Window { first: at(from)?, last: at(to)? });
            }
            windows.sort_by_key(|window| window.first);
            let follows = |pair: &[Window]| matches!(pair, [a, b] if a.last >= b.first);
            if windows.iter().any(|window| window.last < window.first) || windows.windows(2).any(follows) {
                return Err(entry(name, "a window ends before it begins, or two lie over each other".into()));
            }
            series.push(Series { name: name.clone(), rows, windows });
        }
        let mut left_out = Vec::new();
        unlabelled(dir, dir, 0, &mut |name| {
            if !labels.contains_key(&name) && left_out.len() < FILES_MAX {
                left_out.push(name);
            }
        });
        left_out.sort();
        Ok(Self { series, left_out })
    }
}

/// The CSV files below a folder, by their path below the first.
fn unlabelled(top: &Path, dir: &Path, depth: usize, found: &mut impl FnMut(String)) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path: PathBuf = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && depth < DEPTH_MAX {
            unlabelled(top, &path, depth + 1, found);
        } else if path.extension().is_some_and(|extension| extension == "csv")
            && let Ok(below) = path.strip_prefix(top)
        {
            found(below.to_string_lossy().into_owned());
        }
    }
}

fn read_text(path: &Path) -> Result<String, CorpusError> {
    let shown = || path.display().to_string();
    let unreadable = |source| CorpusError::Unreadable { path: shown(), source };
    let mut text = String::new();
    let read = File::open(path).map_err(unreadable)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    if read.map_err(unreadable)? as u64 > FILE_BYTES_MAX {
        return Err(CorpusError::TooMuch { path: shown(), limit: FILE_BYTES_MAX, of: "bytes" });
    }
    Ok(text)
}

/// The lines of a series in the order in which they stand. A first line that begins with no time is the header.
pub(super) fn read_rows(path: &Path) -> Result<Vec<Row>, CorpusError> {
    let shown = || path.display().to_string();
    let unreadable = |source| CorpusError::Unreadable { path: shown(), source };
    let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut rows = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let limit = LINE_BYTES_MAX as u64 + 1;
        if reader.by_ref().take(limit).read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            break;
        }
        let wrong = |what: String| CorpusError::Line { path: shown(), line: number, what };
        if line.len() > LINE_BYTES_MAX {
            return Err(wrong(format!("it has more than {LINE_BYTES_MAX} bytes")));
        }
        let text = std::str::from_utf8(&line).map_err(|_| wrong("it is no UTF-8".into()))?.trim();
        if text.is_empty() || (number == 1 && time_of(text.split(',').next().unwrap_or_default()).is_none()) {
            continue;
        }
        if rows.len() >= ROWS_MAX {
            return Err(CorpusError::TooMuch { path: shown(), limit: ROWS_MAX as u64, of: "lines" });
        }
        rows.push(row_of(text).map_err(wrong)?);
    }
    if rows.is_empty() {
        return Err(CorpusError::Line { path: shown(), line: 1, what: "there is no point".into() });
    }
    Ok(rows)
}

fn row_of(text: &str) -> Result<Row, String> {
    let (stamp, value) = text.split_once(',').ok_or_else(|| "there is no comma".to_owned())?;
    let (stamp, value) = (stamp.trim(), value.trim());
    let time = time_of(stamp).ok_or_else(|| format!("`{stamp}` is no time"))?;
    let value = match value {
        "" => None,
        number => Some(number.parse::<f64>().map_err(|_| format!("`{number}` is no number"))?),
    };
    Ok(Row { stamp: stamp.to_owned(), time, value: value.filter(|value| value.is_finite()) })
}

fn time_of(text: &str) -> Option<f64> {
    seconds_of(text).or_else(|| text.trim().parse::<f64>().ok().filter(|seconds| seconds.is_finite()))
}
