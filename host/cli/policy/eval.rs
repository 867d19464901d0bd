//! `pi-host policy eval`

use std::path::PathBuf;

use crate::app::{Evaluation, evaluate};
use crate::cli::{Failure, Output};
use crate::gate::{Gate, explain};

pub(super) fn run(
    output: &Output,
    gate: &Gate,
    corpora: &[PathBuf],
    misses: bool,
    directory: &str,
) -> Result<(), Failure> {
    let mut found = Vec::new();
    for path in corpora {
        found.push(evaluate(gate, path, directory).map_err(anyhow::Error::from)?);
    }
    output.data(&found, || {
        let mut text = format!(
            "{:<16} {:>6} {:>6} {:>6} {:>6}  {:>6} {:>6} {:>6} {:>6}\n",
            "corpus", "stop", "deny", "ask", "missed", "go", "allow", "ask", "deny"
        );
        for Evaluation { corpus, stop, go, .. } in &found {
            let share = |part: u32, whole: u32| match whole {
                0 => String::new(),
                _ => format!(" {:.1} %", f64::from(part) * 100.0 / f64::from(whole)),
            };
            text.push_str(&format!(
                "{:<16} {:>6} {:>6} {:>6} {:>6}  {:>6} {:>6} {:>6} {:>6}  let through{}, interrupted{}\n",
                explain::escaped(corpus),
                stop.total(),
                stop.deny,
                stop.ask,
                stop.allow,
                go.total(),
                go.allow,
                go.ask,
                go.deny,
                share(stop.allow, stop.total()),
                share(go.ask + go.deny, go.total()),
            ));
        }
        for Evaluation { corpus, misses: all, .. } in found.iter().filter(|_| misses) {
            for miss in all {
                let verdict = format!("{:?}", miss.decision).to_lowercase();
                text.push_str(&format!(
                    "{}:{} {verdict}, not {:?} [{}]: {}\n",
                    explain::escaped(corpus),
                    miss.line,
                    miss.expect,
                    miss.rules.join(", "),
                    explain::escaped(&miss.command)
                ));
            }
        }
        text.trim_end().to_owned()
    });
    Ok(())
}
