//! Reading an archive of records: one entry after the other, so that memory does not grow with it.
//!
//! The archive comes from a network, and may be cut, damaged or made to explode. Sizes that it claims
//! are not believed: what comes out of each entry is counted, and its checksum is verified. It does not
//! know what the entries hold.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ZipArchive};

/// What an archive may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct ArchiveLimits {
    /// Danger: a directory of a billion empty entries.
    pub(super) entries_max: u64,
    /// Danger: an entry that unpacks to more than the memory.
    pub(super) entry_bytes_max: u64,
    /// Danger: entries that share their data, a petabyte in all.
    pub(super) total_bytes_max: u64,
}

/// Why an archive is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    #[error("the archive is damaged or cut: {0}")]
    Damaged(String),
    #[error("the archive has more entries than: {0}")]
    TooManyEntries(u64),
    #[error("an entry of the archive unpacks to more than {bytes_max} bytes: `{}`", entry.escape_debug())]
    EntryTooLarge { entry: String, bytes_max: u64 },
    #[error("the archive unpacks to more bytes than: {0}")]
    TooLarge(u64),
    #[error("an entry of the archive is packed in a way that is not used there: `{}`", .0.escape_debug())]
    Method(String),
    #[error("reading it was given up")]
    GivenUp,
}

/// Give the content of every `.json` entry to `take`, until that says to stop. Returns how many
/// entries the archive has.
pub(super) fn read(
    path: &Path,
    limits: ArchiveLimits,
    mut take: impl FnMut(&[u8]) -> Result<(), ArchiveError>,
) -> Result<u64, ArchiveError> {
    let file = File::open(path).map_err(|error| damaged(&error))?;
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let archive = ZipArchive::from_file(file, &mut buffer).map_err(|error| damaged(&error))?;
    let expected = archive.entries_hint();
    if expected > limits.entries_max {
        return Err(ArchiveError::TooManyEntries(limits.entries_max));
    }
    let (mut count, mut total) = (0, 0);
    let mut content = vec![];
    let mut entries = archive.entries(&mut buffer);
    while let Some(entry) = entries.next_entry().map_err(|error| damaged(&error))? {
        count += 1;
        if count > limits.entries_max {
            return Err(ArchiveError::TooManyEntries(limits.entries_max));
        }
        let path = entry.file_path();
        if entry.is_dir() || !path.as_bytes().ends_with(b".json") {
            continue;
        }
        let name = || String::from_utf8_lossy(path.as_bytes()).chars().take(100).collect::<String>();
        let data = archive.get_entry(entry.wayfinder()).map_err(|error| damaged(&error))?;
        content.clear();
        // One byte beyond the limit tells that there is more.
        let bytes_max = limits.entry_bytes_max + 1;
        let read = match entry.compression_method() {
            CompressionMethod::DEFLATE => {
                data.verifying_reader(DeflateDecoder::new(data.reader())).take(bytes_max).read_to_end(&mut content)
            }
            CompressionMethod::STORE => data.verifying_reader(data.reader()).take(bytes_max).read_to_end(&mut content),
            _ => return Err(ArchiveError::Method(name())),
        };
        let bytes = u64::try_from(read.map_err(|error| damaged(&error))?).unwrap_or(u64::MAX);
        if bytes > limits.entry_bytes_max {
            return Err(ArchiveError::EntryTooLarge { entry: name(), bytes_max: limits.entry_bytes_max });
        }
        total += bytes;
        if total > limits.total_bytes_max {
            return Err(ArchiveError::TooLarge(limits.total_bytes_max));
        }
        take(&content)?;
    }
    if count == expected {
        Ok(count)
    } else {
        Err(ArchiveError::Damaged(format!("it has {count} entries, and its directory says {expected}")))
    }
}

fn damaged(error: &dyn std::error::Error) -> ArchiveError {
    ArchiveError::Damaged(error.to_string().to_lowercase())
}
