//! Plugins as a person handles them: agreeing to what one may do, installing, changing and trying it.
//!
//! `install` brings, updates and removes, `signatures` says whose are trusted, `consent` says what is agreed
//! to, `edit` changes `pi.toml`, `values` is what one leaves in the store. For authors: `pack` makes a component a plugin, `dev` reads one anew while it
//! is written, `test` runs its cases, `bench` says what its calls cost, `publish` puts it into a registry;
//! `scratch` is where one is tried.

mod bench;
mod consent;
mod dev;
mod edit;
mod install;
mod pack;
mod publish;
pub(super) mod scratch;
pub(super) mod signatures;
mod test;
mod values;

pub use bench::{BenchError, BenchReport, bench};
pub use consent::{Ask, Proposal, ToolLine, changes};
pub use dev::{Dev, DevError, Loaded};
pub use edit::{Edit, EditError, GrantWord};
pub use install::{
    Candidate, Checked, InstallError, Restored, candidate, latest, newer, options, removal, remove, restore, sweep,
    verify,
};
pub use pack::{MANIFEST_BYTES_MAX, PackError, Packed, pack, packed};
pub use publish::{PublishError, publish};
pub use signatures::{Standing, TrustError};
pub use test::{TestError, Tested, test};
pub use values::{ValuesError, purge, values};
