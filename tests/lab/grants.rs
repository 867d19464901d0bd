//! With any one grant taken away, the run says which: at its start, and where the agent gets no further.

use std::path::Path;
use std::process::{Command, Stdio};

use pi_host::lab::{Fault, Lab, Scenario};

use super::EXE;
use super::heal::{Run, all};

/// What is taken out of `pi.toml`, the fault that it is needed for, and what the host then names.
#[rustfmt::skip]
const WITHHELD: &[(&str, Fault, &str)] = &[
    (", \"read\", \"edit\"", Fault::BadConfiguration, "the tool `edit`, which [grants.sre.tools]"),
    (", \"edit\"", Fault::BadConfiguration, "the tool `edit`, which [grants.sre.tools]"),
    ("\"port_owner\", ", Fault::PortTaken, "the tool `port_owner`, which [grants.sre.tools]"),
    ("\"process_end\", ", Fault::PortTaken, "the tool `process_end`, which [grants.sre.tools]"),
    ("\"log_rotate\", ", Fault::DiskFull, "the tool `log_rotate`, which [grants.sre.tools]"),
    ("\"service_*\", ", Fault::Hung, "the tool `service_restart`, which [grants.sre.tools]"),
    (", \"restart\"", Fault::Hung, "the action `restart`, which [grants.service.services]"),
    (", \"end_process\"", Fault::PortTaken, "the action `end_process`, which [grants.service.services]"),
    (", \"rotate_log\"", Fault::DiskFull, "the action `rotate_log`, which [grants.service.services]"),
    ("\"read\", <\"restart\"", Fault::Hung, "the action `read`, which [grants.service.services]"),
    ("names = [\"*\"], ", Fault::Hung, "which no [grants.*.services] names"),
];

#[test]
fn with_any_one_grant_removed_the_run_says_which() {
    let scenarios = (0..WITHHELD.len()).map(|index| Scenario::single(500 + index as u64, WITHHELD[index].1)).collect();
    all(scenarios, |scenario| {
        let (cut, _, told) = WITHHELD[usize::try_from(scenario.seed - 500).expect("small")];
        let run = Run::start_with(scenario, |text| {
            // What stands behind a `<` stays.
            let (cut, kept) = cut.split_once('<').unwrap_or((cut, ""));
            let whole = format!("{cut}{kept}");
            assert!(text.contains(&whole), "{whole} is no part of {text}");
            text.replace(&whole, kept)
        })?
        .faults()?;
        run.expect_unhealed(told)
    });
}

#[test]
fn a_whole_grant_removed_stops_the_start_and_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scenario = Scenario::single(520, Fault::Hung);
    let lab = Lab::generate(scenario, &folder.path().join("project"), Path::new(EXE)).expect("a lab");
    let file = lab.project.join("pi.toml");
    let text = std::fs::read_to_string(&file).expect("pi.toml");
    let mut section = "";
    let mut count = 0;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("[grants.") {
            section = name.trim_end_matches(']');
        }
        let Some((capability, _)) = line.split_once(" = {").filter(|_| !section.is_empty()) else { continue };
        std::fs::write(&file, text.replace(line, "")).expect("written");
        let run =
            Command::new(EXE).arg("run").current_dir(&lab.project).stdin(Stdio::null()).output().expect("it runs");
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(1), "without {line}: {said}");
        assert!(said.contains(&format!("[grants.{section}.{capability}]")), "without {line}: {said}");
        count += 1;
    }
    assert_eq!(count, 4);
}
