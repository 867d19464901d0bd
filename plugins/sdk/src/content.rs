//! What a tool's function may return: anything that is a result, and any error of the host's.

use serde::Serialize;

use crate::{Blob, Content, Error, Value, atomics, config, files, keyvalue, process, services};

/// What can be the result of a tool.
pub trait IntoContent {
    /// The parts of the result.
    ///
    /// # Errors
    /// It cannot be written as a result.
    fn into_content(self) -> Result<Vec<Content>, Error>;
}

/// Any value as one JSON document: `Ok(Json(counts))`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoContent for Json<T> {
    fn into_content(self) -> Result<Vec<Content>, Error> {
        match serde_json::to_string(&self.0) {
            Ok(text) => Ok(vec![Content::Json(text)]),
            Err(error) => Err(Error::Failed(format!("the result is no JSON: {error}"))),
        }
    }
}

impl IntoContent for Value {
    fn into_content(self) -> Result<Vec<Content>, Error> {
        Ok(vec![Content::Json(self.to_string())])
    }
}

impl IntoContent for String {
    fn into_content(self) -> Result<Vec<Content>, Error> {
        Ok(vec![Content::Text(self)])
    }
}

impl IntoContent for &str {
    fn into_content(self) -> Result<Vec<Content>, Error> {
        Ok(vec![Content::Text(self.to_owned())])
    }
}

impl IntoContent for Blob {
    fn into_content(self) -> Result<Vec<Content>, Error> {
        Ok(vec![Content::Blob(self)])
    }
}

impl IntoContent for Content {
    fn into_content(self) -> Result<Vec<Content>, Error> {
        Ok(vec![self])
    }
}

impl IntoContent for Vec<Content> {
    fn into_content(self) -> Result<Vec<Content>, Error> {
        Ok(self)
    }
}

impl IntoContent for () {
    fn into_content(self) -> Result<Vec<Content>, Error> {
        Ok(Vec::new())
    }
}

impl From<files::Error> for Error {
    fn from(error: files::Error) -> Self {
        match error {
            files::Error::Refused(refusal) => Self::Refused(refusal),
            files::Error::TooLarge(text) | files::Error::Limit(text) => Self::Limit(text),
            files::Error::OutsideGrant(text)
            | files::Error::ReadOnly(text)
            | files::Error::NotFound(text)
            | files::Error::AlreadyExists(text)
            | files::Error::IsDirectory(text)
            | files::Error::NotDirectory(text)
            | files::Error::NotEmpty(text)
            | files::Error::NoSpace(text)
            | files::Error::Other(text) => Self::Failed(text),
        }
    }
}

impl From<process::Error> for Error {
    fn from(error: process::Error) -> Self {
        match error {
            process::Error::Refused(refusal) => Self::Refused(refusal),
            process::Error::Limit(text) => Self::Limit(text),
            process::Error::NotGranted(text)
            | process::Error::NotFound(text)
            | process::Error::Invalid(text)
            | process::Error::Other(text) => Self::Failed(text),
        }
    }
}

impl From<services::Error> for Error {
    fn from(error: services::Error) -> Self {
        match error {
            services::Error::Refused(refusal) => Self::Refused(refusal),
            services::Error::NotFound(text)
            | services::Error::NotGranted(text)
            | services::Error::Unsupported(text)
            | services::Error::Failed(text) => Self::Failed(text),
        }
    }
}

impl From<keyvalue::Error> for Error {
    fn from(error: keyvalue::Error) -> Self {
        Self::Failed(match error {
            keyvalue::Error::NoSuchStore => "there is no key-value store of that name".to_owned(),
            keyvalue::Error::AccessDenied => "the key-value store is not granted".to_owned(),
            keyvalue::Error::Other(text) => text,
        })
    }
}

impl From<config::Error> for Error {
    fn from(error: config::Error) -> Self {
        match error {
            config::Error::Upstream(text) | config::Error::Io(text) => Self::Failed(text),
        }
    }
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self::Failed(text)
    }
}

impl From<&str> for Error {
    fn from(text: &str) -> Self {
        Self::Failed(text.to_owned())
    }
}

/// Add to the number under `key` of the plugin's own store, and return the sum.
///
/// # Errors
/// The store is not granted, or its quota is used up.
pub fn increment(key: &str, delta: u64) -> Result<u64, Error> {
    let bucket = keyvalue::open("default")?;
    Ok(atomics::increment(&bucket, key, delta)?)
}
