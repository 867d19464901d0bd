//! What a log says: templates, what is new in them, what became more frequent, and which known faults they name.

mod entry;
mod finding;
#[cfg(test)]
mod generator;
mod group;
mod header;
mod miner;
mod rate;
mod severity;
mod signature;
mod stamp;
mod structured;
mod token;
mod vocabulary;

pub use entry::{Entry, LogLine, entries, text_of};
pub use finding::{LogFinding, SignatureFinding, TemplateFinding, summarise, summarise_with};
pub use group::group;
pub use miner::{Limits, Miner, OTHER, Template, TemplateId};
pub use severity::Severity;
pub use signature::{Match, Side, Signature, SignatureError, Signatures};
pub use stamp::parse_time;
