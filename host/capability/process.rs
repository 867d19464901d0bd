//! `pi:process`.

/// The grant of one instance.
pub struct ProcessState {}

/// A running program, as a guest holds it.
pub struct Child {}
