//! What can go wrong with a call, in words for people: what is wrong, where, and what to do about it.
//!
//! No text holds a secret: what AWS answered is quoted only by its code and message, in which it names neither keys nor
//! tokens, and what was configured only by name.

/// Why a call was not done, or has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The arguments do not fit the operation. Nothing was sent.
    #[error("{operation}: {problem}\nhint: {hint}")]
    Arguments { operation: String, problem: String, hint: String },
    /// Nothing was sent.
    #[error("unknown operation: `{name}`\nhint: {hint}")]
    UnknownOperation { name: String, hint: String },
    /// The settings of the account cannot be used. Nothing was sent.
    #[error("the account's settings: {problem}\nhint: {hint}")]
    Settings { problem: String, hint: String },
    /// There are none, or they are expired, or AWS does not know them.
    #[error("{operation}: credentials: {problem}\nhint: {hint}")]
    Credentials { operation: String, problem: String, is_expired: bool, hint: String },
    /// IAM refused `action`.
    #[error("{operation}: AWS denied `{action}`: {message}\nhint: {hint}")]
    Denied { operation: String, action: String, message: String, hint: String },
    /// There is no region, or it is wrong.
    #[error("{operation}: region: {problem}\nhint: {hint}")]
    Region { operation: String, problem: String, hint: String },
    /// What the call names is not there.
    #[error("{operation}: not found in {region}: {message}\nhint: {hint}")]
    NotFound { operation: String, region: String, message: String, hint: String },
    /// AWS was asked too often, also when tried again.
    #[error("{operation}: throttled by AWS after {attempts} attempts: {message}\nhint: {hint}")]
    Throttled { operation: String, attempts: u32, message: String, hint: String },
    /// Whether it was done is not known if the operation changes something.
    #[error("{operation}: no answer within {timeout_ms} ms\nhint: {hint}")]
    TimedOut { operation: String, timeout_ms: u64, hint: String },
    /// The answer is larger than it may be.
    #[error("{operation}: the answer is larger than {bytes_max} bytes\nhint: {hint}")]
    TooLarge { operation: String, bytes_max: u64, hint: String },
    /// Anything else: AWS refused it for a reason of its own, or could not be reached, or its answer cannot be read.
    #[error("{operation}: {code}: {message}\nhint: {hint}")]
    Failed { operation: String, code: String, message: String, hint: String },
}

impl Error {
    /// One word for programs: the name of the variant, in lower case with underscores.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Arguments { .. } => "arguments",
            Self::UnknownOperation { .. } => "unknown_operation",
            Self::Settings { .. } => "settings",
            Self::Credentials { .. } => "credentials",
            Self::Denied { .. } => "denied",
            Self::Region { .. } => "region",
            Self::NotFound { .. } => "not_found",
            Self::Throttled { .. } => "throttled",
            Self::TimedOut { .. } => "timed_out",
            Self::TooLarge { .. } => "too_large",
            Self::Failed { .. } => "failed",
        }
    }
}
