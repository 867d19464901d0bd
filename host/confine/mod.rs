//! Native processes: the only place that starts one, confined by the kernel.
