//! What can go wrong, in words for people: what is wrong, where, and what to do about it.
//!
//! No text holds a secret: the password never enters a text, and what the database answered is quoted only where it
//! cannot hold a value of a column that is marked as personal.

use pi_catalog::database::QueryError;

/// Why a statement has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The settings of the connection cannot be used. Nothing was opened.
    #[error("the connection's settings: {problem}\nhint: {hint}")]
    Settings { problem: String, hint: String },
    /// The statement, its parameters or its columns are not let through. Nothing was read.
    #[error("refused: {what}: {why}")]
    Refused { what: String, why: String },
    /// The database is out of reach, starting, shutting down or full.
    #[error("out of reach: {place}: {message}\nhint: {hint}")]
    Unavailable { place: String, message: String, hint: String },
    /// The role is not known, or its password is wrong or missing.
    #[error("{place}: {message}\nhint: check the user of the url and the password that the connection names")]
    WrongPassword { place: String, message: String },
    /// The server has no such database, or there is no such file.
    #[error("no such database: {place}: {message}\nhint: {hint}")]
    NoSuchDatabase { place: String, message: String, hint: String },
    /// The role may not read this, or may not log in from here.
    #[error("{place}: {message}\nhint: {hint}")]
    Denied { place: String, message: String, hint: String },
    /// It ran, or waited for a lock, longer than it may.
    #[error("timed out: {message}\nhint: {hint}")]
    TimedOut { message: String, hint: String },
    /// The planner expects it to cost more than it may. It was not run.
    #[error(
        "too costly: the planner expects {cost:.0}, and {cost_max:.0} is let through\nhint: narrow it by a condition on an indexed column, or sample with TABLESAMPLE"
    )]
    TooCostly { cost: Cost, cost_max: Cost },
    /// What it names is not there (any more).
    #[error("not there: {message}\nhint: look at the schema again: a table or column may have been renamed or dropped")]
    NotFound { message: String },
    /// It, or what it asks for, is larger than it may be.
    #[error("too large: {what}: {size}, and {max} is let through")]
    TooLarge { what: String, size: u64, max: u64 },
    /// The database says that it is wrong.
    #[error("failed: {code}: {message}")]
    Failed { code: String, message: String },
}

/// The planner's own unit. A wrapper so that errors can be compared: a cost is never NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost(pub f64);

impl Eq for Cost {}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.0, f)
    }
}

impl Error {
    /// One word for programs: the name of the variant, in lower case with underscores.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Settings { .. } => "settings",
            Self::Refused { .. } => "refused",
            Self::Unavailable { .. } => "unavailable",
            Self::WrongPassword { .. } => "wrong_password",
            Self::NoSuchDatabase { .. } => "no_such_database",
            Self::Denied { .. } => "denied",
            Self::TimedOut { .. } => "timed_out",
            Self::TooCostly { .. } => "too_costly",
            Self::NotFound { .. } => "not_found",
            Self::TooLarge { .. } => "too_large",
            Self::Failed { .. } => "failed",
        }
    }

    pub(crate) fn refused(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), why: why.into() }
    }

    pub(crate) fn settings(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Settings { problem: problem.into(), hint: hint.into() }
    }
}

impl From<Error> for QueryError {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Refused { what, why } => Self::Refused(format!("{what}: {why}")),
            Error::TooCostly { .. } | Error::TooLarge { .. } => Self::Refused(text),
            Error::Denied { .. } | Error::WrongPassword { .. } => Self::Denied(text),
            Error::TimedOut { message, hint } => Self::TimedOut(format!("{message}\nhint: {hint}")),
            Error::NotFound { message } => Self::NotFound(message),
            Error::Unavailable { .. } | Error::NoSuchDatabase { .. } => Self::Unavailable(text),
            Error::Settings { .. } | Error::Failed { .. } => Self::Failed(text),
        }
    }
}
