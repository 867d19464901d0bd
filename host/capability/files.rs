//! `pi:files`.

/// The grant of one instance.
pub struct FilesState {}
