//! What a service writes to its standard output and error: one file, `.pi/services/NAME.out`.
//!
//! A file and no pipe, because a service outlives its host: a pipe without a reader would end it. The
//! service appends, so the file can be emptied in place once its contents are in `NAME.out.1`.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A service that floods its output must not fill the project's disk: two files of this size.
const BYTES_MAX: u64 = 8 << 20;
/// Bytes and lines of the last words of a service.
const LAST_WORDS_BYTES_MAX: u64 = 4 << 10;
const LAST_WORDS_LINES_MAX: usize = 20;

#[derive(Clone, Debug)]
pub(crate) struct Output {
    path: PathBuf,
    bytes_max: u64,
}

impl Output {
    /// `file_bytes_max` is the limit that the service's own file size limit puts on this file too.
    pub(crate) fn new(path: PathBuf, file_bytes_max: Option<u64>) -> Self {
        let bytes_max = file_bytes_max.map_or(BYTES_MAX, |limit| (limit / 2).clamp(1, BYTES_MAX));
        Self { path, bytes_max }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The earlier part.
    pub(crate) fn rotated_path(&self) -> PathBuf {
        self.path.with_extension("out.1")
    }

    pub(crate) fn length(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// Move the contents aside when there are too many.
    pub(crate) fn rotate_when_large(&self) -> std::io::Result<bool> {
        if self.length() <= self.bytes_max {
            return Ok(false);
        }
        let file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        // What a flood wrote beyond the limit is not kept: its end is what matters.
        let skip = self.length().saturating_sub(self.bytes_max.saturating_mul(2));
        let mut from = &file;
        from.seek(SeekFrom::Start(skip))?;
        let aside = self.path.with_extension("out.new");
        let mut copy = File::create(&aside)?;
        // What is written meanwhile comes along, but a flood is not chased for ever.
        let bytes_max = self.bytes_max.saturating_mul(4);
        let mut copied = 0;
        loop {
            let more = std::io::copy(&mut Read::take(from, bytes_max - copied), &mut copy)?;
            copied += more;
            if more == 0 || copied >= bytes_max {
                break;
            }
        }
        fs::rename(&aside, self.rotated_path())?;
        file.set_len(0)?;
        Ok(true)
    }

    /// The end of what was written from `offset` on.
    pub(crate) fn last_words(&self, offset: u64) -> String {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            let length = file.metadata()?.len();
            // The file was moved aside since: all of it is of this life.
            let offset = if offset > length { 0 } else { offset };
            file.seek(SeekFrom::Start(offset.max(length.saturating_sub(LAST_WORDS_BYTES_MAX))))?;
            let mut bytes = Vec::new();
            file.take(LAST_WORDS_BYTES_MAX).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let text = super::logs::readable(&read().unwrap_or_default());
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(LAST_WORDS_LINES_MAX)..).unwrap_or_default().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn open(output: &Output) -> File {
        OpenOptions::new().create(true).append(true).open(output.path()).unwrap()
    }

    #[test]
    fn keeps_the_descriptor_that_a_service_writes_to() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::new(folder.path().join("web.out"), Some(20));
        let mut service = open(&output);
        service.write_all(b"0123456789").unwrap();
        assert!(!output.rotate_when_large().unwrap());
        service.write_all(b"x\n").unwrap();
        assert!(output.rotate_when_large().unwrap());
        service.write_all(b"after\n").unwrap();
        assert_eq!(fs::read_to_string(output.rotated_path()).unwrap(), "0123456789x\n");
        assert_eq!(fs::read_to_string(output.path()).unwrap(), "after\n");
    }

    #[test]
    fn the_last_words_are_those_of_this_life() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::new(folder.path().join("web.out"), None);
        let mut service = open(&output);
        service.write_all(b"earlier life\n").unwrap();
        let offset = output.length();
        service.write_all(b"boom\n").unwrap();
        assert_eq!(output.last_words(offset), "boom");
    }
}
