//! Metrics: numbers over time.
//!
//! `Detector` says of each point, as it comes, how unusual it is; constant time and memory a point. `summarise` looks
//! back over a bounded series and says what changed, when, which way and by how much, in robust terms. `Series` is
//! what a list of points is after its defects have been named: not a number, out of order, twice, missing.
//!
//! Nothing here knows what a metric means. What is normal is taken from the series itself, never from its name.

mod change;
mod counter;
mod detector;
mod robust;
mod season;
mod series;
mod summary;
mod tail;
mod window;

pub use crate::instant::seconds_of;
pub use change::{Change, Cusum, Shift, change_points};
pub use counter::{counter_resets, is_counter, rates};
pub use detector::{ALARM, Detector};
pub use robust::{Baseline, Trend, median, quantile, trend};
pub use series::{Defects, GAPS_MAX, Gap, POINTS_MAX, Point, Series};
pub use summary::{Direction, MetricFinding, Peak, Saturation, saturation, shift, summarise, summarise_limited};
pub use window::{AnomalyWindow, windows};
