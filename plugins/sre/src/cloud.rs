//! Services that run in somebody's cloud: EC2 instances, RDS databases and clusters.
//!
//! The same loop as for local ones, on other senses and other hands: [`observe`] asks every source side by side,
//! `pi-diagnosis` judges what came back, [`plan`] chooses among the typed acts of [`act`], [`verify`] proves, and
//! [`heal`] is the loop. Everything goes through the tools `cloud_read` and `cloud_change`; what they may do is the
//! grant's and the gate's to say. A new kind of target is a kind in `target.rs`, its sources and its acts.

mod act;
mod aws;
mod evidence;
mod heal;
mod inspect;
mod metrics;
mod observe;
mod plan;
mod script;
mod target;
mod verify;

pub use evidence::document;
pub use heal::heal;
pub use script::{is_path, is_unit};
pub use target::{Kind, Place, Target};
