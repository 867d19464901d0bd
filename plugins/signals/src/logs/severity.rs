//! How bad a line says it is.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Trace,
    Debug,
    Info,
    Warning,
    Error,
    Fatal,
}

impl Severity {
    /// Reads a level by its name, in any case; also the numbers of pino and bunyan (`10` to `60`).
    pub fn parse(name: &str) -> Option<Self> {
        let mut lower = [0u8; 16];
        let name = name.trim().as_bytes();
        let place = lower.get_mut(..name.len())?;
        place.copy_from_slice(name);
        place.make_ascii_lowercase();
        Some(match &*place {
            b"trace" | b"finest" | b"finer" | b"verbose" | b"10" => Self::Trace,
            b"debug" | b"fine" | b"20" | b"debug1" | b"debug2" | b"debug3" | b"debug4" | b"debug5" => Self::Debug,
            b"info" | b"note" | b"system" | b"information" | b"informational" | b"notice" | b"log" | b"config"
            | b"hint" | b"statement" | b"detail" | b"context" | b"normal" | b"30" => Self::Info,
            b"warn" | b"warning" | b"40" => Self::Warning,
            b"error" | b"err" | b"severe" | b"failure" | b"eror" | b"50" => Self::Error,
            b"fatal" | b"critical" | b"crit" | b"alert" | b"emerg" | b"emergency" | b"panic" | b"60" | b"dpanic" => {
                Self::Fatal
            }
            _ => return None,
        })
    }

    /// `D`, `I`, `W`, `E`, `F` of Android, of Kubernetes and of Ruby.
    pub(crate) fn of_letter(letter: u8) -> Option<Self> {
        Some(match letter {
            b'V' | b'T' => Self::Trace,
            b'D' => Self::Debug,
            b'I' | b'N' => Self::Info,
            b'W' => Self::Warning,
            b'E' => Self::Error,
            b'F' | b'C' => Self::Fatal,
            _ => return None,
        })
    }
}
