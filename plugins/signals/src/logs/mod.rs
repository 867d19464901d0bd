//! What a log says: templates, what is new in them, what became more frequent, and which known faults they name.

#[cfg(test)]
mod generator;
mod miner;
mod token;
mod vocabulary;

pub use miner::{Limits, Miner, OTHER, Template, TemplateId};
