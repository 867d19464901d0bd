//! `pi-host policy test`

use std::path::PathBuf;

use owo_colors::Style;

use crate::app::gate;
use crate::app::policy::{Tests, test};
use crate::cli::{Failure, Output};
use crate::config::Project;
use crate::gate::explain::escaped;

/// Rules without a test that are named; `--json` has all.
const UNTESTED_SHOWN: usize = 10;

pub(super) fn run(output: &Output, project: &Project, mut paths: Vec<PathBuf>) -> Result<(), Failure> {
    if paths.is_empty() {
        paths.push(project.directory.join("policies"));
    }
    let directory = super::folder(project);
    let tests = test(&gate(project)?, &paths, &directory)?;
    output.data(&tests, || text(output, &tests));
    if tests.is_passed() { Ok(()) } else { Err(Failure::Said) }
}

fn text(output: &Output, tests: &Tests) -> String {
    let mut lines = Vec::new();
    let (mut passed, mut all) = (0, 0);
    let mut line = |is_passed: bool, name: String, error: &str| {
        all += 1;
        passed += usize::from(is_passed);
        let (mark, style) =
            if is_passed { ("pass", Style::new().green()) } else { ("FAIL", Style::new().red().bold()) };
        let error = if error.is_empty() { String::new() } else { format!("\n       {}", escaped(error)) };
        lines.push(format!("{}  {}{error}", output.out(mark, style), escaped(&name)));
    };
    for test in &tests.tests {
        line(test.is_passed, format!("{} ({})", test.name, test.file), &test.error);
    }
    for test in tests.rego.iter().flat_map(|rego| &rego.tests) {
        line(test.passed, format!("{} ({})", test.name, test.file), test.error.as_deref().unwrap_or_default());
    }
    lines.push(format!("{passed} of {all} passed"));
    if !tests.tests.is_empty() {
        let count = tests.rules_tested + tests.rules_untested.len();
        let mut shown: Vec<&str> = tests.rules_untested.iter().take(UNTESTED_SHOWN).map(String::as_str).collect();
        if tests.rules_untested.len() > UNTESTED_SHOWN {
            shown.push("…");
        }
        let missing = if shown.is_empty() { String::new() } else { format!("; no test sees {}", shown.join(", ")) };
        lines.push(format!("{} of {count} rules seen by a test{missing}", tests.rules_tested));
    }
    for coverage in tests.rego.iter().flat_map(|rego| &rego.coverage) {
        lines.push(format!("{:>5.1} % of {} covered", coverage.percent, escaped(&coverage.file)));
    }
    lines.join("\n")
}
