//! `pi:services`.

/// The grant of one instance.
pub struct ServicesState {}
