//! The root causes that this agent can name, which are those of `pi-diagnosis`, and the case that is made for and
//! against each.

pub use pi_diagnosis::Cause;

/// It is the change of a configuration that is to be taken back.
pub fn is_change(cause: Cause) -> bool {
    matches!(cause, Cause::BadConfiguration | Cause::ErrorSpikeAfterDeploy)
}

/// The causes that this agent makes a case for itself, in the order in which equals are tried: what a new start or a
/// small repair answers goes before what it does not.
const ORDER: [Cause; 17] = [
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

/// The place of a cause between equals.
pub fn order(cause: Cause) -> usize {
    ORDER.iter().position(|other| *other == cause).unwrap_or(ORDER.len())
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
