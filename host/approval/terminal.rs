//! Asking at the terminal. Where standard input or error is no terminal, the answer is no.

use std::io::{BufRead, IsTerminal, Write};

use async_trait::async_trait;

use super::{Answer, Approver};
use crate::gate::explain::escaped;
use crate::gate::{Act, Decision, Origin};

/// Asks the person at the terminal, one question at a time.
#[derive(Default)]
pub struct Terminal {
    turn: tokio::sync::Mutex<()>,
}

impl Terminal {
    /// Whether there is somebody to ask.
    #[must_use]
    pub fn is_there() -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }
}

#[async_trait]
impl Approver for Terminal {
    async fn ask(&self, act: &Act, origin: &Origin, decision: &Decision) -> Answer {
        let _turn = self.turn.lock().await;
        let question = question(act, origin, decision);
        let answered = tokio::task::spawn_blocking(move || read(&question)).await;
        match answered {
            Ok(Ok(true)) => Answer { is_granted: true, by: "terminal".into(), reason: String::new() },
            Ok(Ok(false)) => {
                Answer { is_granted: false, by: "terminal".into(), reason: "the person at the terminal said no".into() }
            }
            _ => Answer { is_granted: false, by: "terminal".into(), reason: "the terminal could not be read".into() },
        }
    }
}

fn question(act: &Act, origin: &Origin, decision: &Decision) -> String {
    let mut text = format!("\n`{}` wants to {}\n", escaped(&origin.agent), escaped(&act.summary()));
    text.push_str(&format!("  risk {} of 100: {}\n", decision.risk, escaped(&decision.reason)));
    for evidence in &decision.evidence {
        text.push_str(&format!("  +{:<3} {}: {}\n", evidence.points, evidence.name, escaped(&evidence.detail)));
    }
    text.push_str("  allow it once? [y/N] ");
    text
}

fn read(question: &str) -> std::io::Result<bool> {
    let mut stderr = std::io::stderr();
    stderr.write_all(question.as_bytes())?;
    stderr.flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
