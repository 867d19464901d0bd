//! The root causes that can be named, and what kind of fault each is.
//!
//! The names are a contract (docs/diagnosis.md): they stand in answers, reports and knowledge files. A new one is a
//! row here and a file in `causes/`.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! causes {
    ($($(#[$meta:meta])* $variant:ident $name:literal $category:ident,)*) => {
        /// A root cause.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Cause {
            $($(#[$meta])* $variant,)*
        }

        impl Cause {
            /// All of them, `unknown` last.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As it stands in answers and files.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What kind of fault it is.
            #[must_use]
            pub fn category(self) -> Category {
                match self { $(Self::$variant => Category::$category,)* }
            }
        }
    };
}

causes! {
    /// The alert is noise, or it has recovered.
    Healthy "healthy" Healthy,
    OomKilled "oom_killed" ResourceExhaustion,
    CpuSaturation "cpu_saturation" ResourceExhaustion,
    StorageFull "storage_full" ResourceExhaustion,
    ConnectionExhaustion "connection_exhaustion" ResourceExhaustion,
    ReplicationLag "replication_lag" ResourceExhaustion,
    Failover "failover" Infrastructure,
    SlowQuery "slow_query" CodeDefect,
    LockContention "lock_contention" CodeDefect,
    MemoryLeak "memory_leak" CodeDefect,
    ErrorSpikeAfterDeploy "error_spike_after_deploy" CodeDefect,
    BadConfiguration "bad_configuration" ConfigurationError,
    CrashLoop "crash_loop" CodeDefect,
    ImagePullBackoff "image_pull_backoff" ConfigurationError,
    PendingPod "pending_pod" ResourceExhaustion,
    ProbeFailure "probe_failure" ConfigurationError,
    ResourceQuotaExceeded "resource_quota_exceeded" ResourceExhaustion,
    DnsResolutionFailure "dns_resolution_failure" Infrastructure,
    NodeNotReady "node_not_ready" Infrastructure,
    DeploymentRolloutStuck "deployment_rollout_stuck" ConfigurationError,
    DependencyDown "dependency_down" Dependency,
    CertificateExpired "certificate_expired" ConfigurationError,
    PermissionDenied "permission_denied" ConfigurationError,
    PortConflict "port_conflict" ConfigurationError,
    DiskIoSaturation "disk_io_saturation" ResourceExhaustion,
    NetworkPartition "network_partition" Infrastructure,
    Throttled "throttled" ResourceExhaustion,
    ProcessHung "process_hung" CodeDefect,
    /// The evidence does not separate.
    Unknown "unknown" Unknown,
}

/// What kind of fault a cause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    ResourceExhaustion,
    ConfigurationError,
    Infrastructure,
    Dependency,
    CodeDefect,
    Healthy,
    Unknown,
}

impl Cause {
    /// The cause of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| cause.name() == name)
    }

    /// Something is broken, and this says what.
    #[must_use]
    pub fn is_fault(self) -> bool {
        !matches!(self, Self::Healthy | Self::Unknown)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serde_and_name_agree_and_every_name_is_found_again() {
        for cause in Cause::ALL {
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.name());
            assert_eq!(Cause::named(cause.name()), Some(*cause));
        }
        assert_eq!(Cause::ALL.iter().filter(|cause| cause.is_fault()).count(), 27);
    }
}
