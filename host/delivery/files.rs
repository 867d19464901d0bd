//! A folder that others see: each report's page, its text and its pictures, by the day and the topic.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{Parcel, Route, Sheet};
use crate::outbound::ChannelError;
use crate::report::folder_name;

/// Writes parcels into a folder. What is written twice replaces itself.
pub struct Files {
    folder: PathBuf,
}

impl Files {
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn write(&self, sheet: &Sheet, key: &str) -> Result<PathBuf, (PathBuf, std::io::Error)> {
        let day = crate::clock::rfc3339(sheet.created_ms);
        let name = if sheet.report.is_empty() { key } else { &sheet.report };
        let folder = self.folder.join(format!("{}-{}", day.get(..10).unwrap_or("undated"), folder_name(name)));
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            let half = folder.join(format!(".{name}.part"));
            // As readable as this user's files are: it is there for others.
            let done = std::fs::write(&half, bytes).and_then(|()| std::fs::rename(&half, &path));
            done.map_err(|error| (path, error))
        };
        std::fs::create_dir_all(&folder).map_err(|error| (folder.clone(), error))?;
        for picture in &sheet.pictures {
            put(&picture.name, &picture.bytes)?;
        }
        if !sheet.page.is_empty() {
            put("report.html", &sheet.page)?;
        }
        let text = match sheet.markdown.as_str() {
            "" => format!("# {}\n\n{}\n", sheet.title, sheet.summary),
            markdown => markdown.to_owned(),
        };
        put("report.md", text.as_bytes())?;
        Ok(folder)
    }
}

#[async_trait]
impl Route for Files {
    fn target(&self) -> String {
        format!("the folder {}", self.folder.display())
    }

    fn wants_bitmaps(&self) -> bool {
        false
    }

    async fn send(&self, parcel: &Parcel) -> Result<String, ChannelError> {
        let mut last: &Path = &self.folder;
        let mut folders = Vec::new();
        for sheet in &parcel.sheets {
            let written = self.write(sheet, &parcel.key);
            folders.push(written.map_err(|(path, error)| ChannelError::Unreachable {
                target: self.target(),
                attempts: 1,
                cause: format!("{}: {error}", path.display()),
            })?);
        }
        last = folders.last().map_or(last, PathBuf::as_path);
        Ok(last.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_report_is_there_once_however_often_it_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path().join("out"));
        let sheet = Sheet {
            report: "ghost-1".into(),
            title: "T".into(),
            markdown: "# T\n".into(),
            page: b"<p>".into(),
            created_ms: 1_769_990_400_000,
            ..Sheet::default()
        };
        let parcel = Parcel { sheets: vec![sheet], ..Parcel::default() };
        for _ in 0..2 {
            files.send(&parcel).await.unwrap();
        }
        let made: Vec<_> =
            std::fs::read_dir(folder.path().join("out")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(made.len(), 1);
        assert!(made[0].ends_with("2026-02-02-ghost-1"), "{made:?}");
        assert_eq!(std::fs::read_to_string(made[0].join("report.md")).unwrap(), "# T\n");
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("out"), "a file").unwrap();
        let files = Files::new(folder.path().join("out"));
        let error = files.send(&Parcel { sheets: vec![Sheet::default()], ..Parcel::default() }).await.unwrap_err();
        assert!(error.is_temporary() && error.to_string().contains("out"), "{error}");
    }
}
