//! The root causes that this agent can name, and the case that is made for and against each.

/// A root cause, by the names of docs/incidents.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    Healthy,
    ProcessHung,
    OomKilled,
    PortConflict,
    StorageFull,
    BadConfiguration,
    ErrorSpikeAfterDeploy,
    DependencyDown,
    CertificateExpired,
    DnsResolutionFailure,
    PermissionDenied,
    ConnectionExhaustion,
    CpuSaturation,
    MemoryLeak,
    Throttled,
    CrashLoop,
    Unknown,
}

impl Cause {
    pub const ALL: [Self; 17] = [
        Cause::Healthy,
        Cause::ProcessHung,
        Cause::OomKilled,
        Cause::PortConflict,
        Cause::StorageFull,
        Cause::BadConfiguration,
        Cause::ErrorSpikeAfterDeploy,
        Cause::DependencyDown,
        Cause::CertificateExpired,
        Cause::DnsResolutionFailure,
        Cause::PermissionDenied,
        Cause::ConnectionExhaustion,
        Cause::CpuSaturation,
        Cause::MemoryLeak,
        Cause::Throttled,
        Cause::CrashLoop,
        Cause::Unknown,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Cause::Healthy => "healthy",
            Cause::ProcessHung => "process_hung",
            Cause::OomKilled => "oom_killed",
            Cause::PortConflict => "port_conflict",
            Cause::StorageFull => "storage_full",
            Cause::BadConfiguration => "bad_configuration",
            Cause::ErrorSpikeAfterDeploy => "error_spike_after_deploy",
            Cause::DependencyDown => "dependency_down",
            Cause::CertificateExpired => "certificate_expired",
            Cause::DnsResolutionFailure => "dns_resolution_failure",
            Cause::PermissionDenied => "permission_denied",
            Cause::ConnectionExhaustion => "connection_exhaustion",
            Cause::CpuSaturation => "cpu_saturation",
            Cause::MemoryLeak => "memory_leak",
            Cause::Throttled => "throttled",
            Cause::CrashLoop => "crash_loop",
            Cause::Unknown => "unknown",
        }
    }

    /// It is the change of a configuration that is to be taken back.
    pub fn is_change(self) -> bool {
        matches!(self, Cause::BadConfiguration | Cause::ErrorSpikeAfterDeploy)
    }
}

/// One root cause with what speaks for it and against it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    pub cause: Cause,
    /// 0.0 to 0.99.
    pub confidence: f64,
    pub favour: Vec<String>,
    pub against: Vec<String>,
}

/// A case that is being made. Points are a hundredth of confidence each.
#[derive(Debug)]
pub struct Case {
    cause: Cause,
    points: i32,
    favour: Vec<String>,
    against: Vec<String>,
}

impl Case {
    pub fn new(cause: Cause) -> Self {
        Self { cause, points: 0, favour: Vec::new(), against: Vec::new() }
    }

    pub fn favour(&mut self, points: i32, text: impl Into<String>) {
        self.points += points;
        self.favour.push(text.into());
    }

    pub fn against(&mut self, points: i32, text: impl Into<String>) {
        self.points -= points;
        self.against.push(text.into());
    }

    pub fn close(self) -> Hypothesis {
        // Evidence against something that nothing speaks for is not worth a number below zero.
        let points = if self.favour.is_empty() { 0 } else { self.points.clamp(0, 99) };
        Hypothesis {
            cause: self.cause,
            confidence: f64::from(points) / 100.0,
            favour: self.favour,
            against: self.against,
        }
    }
}
