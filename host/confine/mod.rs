//! Native processes: the only place that starts one, confined by the kernel.

mod own;

pub(crate) use own::start_own;
