//! Policy as code: what a policy would have decided, how two differ, what its tests say, and what
//! people's answers teach.

mod diff;
mod learn;
mod log;
mod past;
mod test;

pub use diff::{Difference, Differences, Place, RuleChange, diff};
pub use learn::{Proposal, learn};
pub use log::{Logged, log};
pub use past::{Change, Replayed, Shadowed, replay, shadowed};
pub use test::{TestError, Tested, Tests, test};
