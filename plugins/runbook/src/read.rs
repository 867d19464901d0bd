//! From a file to a runbook. Every problem is collected, so that one look at a file names all of them.

mod fields;
mod front;
mod step;
mod trial;

use std::collections::BTreeSet;

use crate::expression::Reference;
use crate::markdown::{self, Mark};
use crate::near;
use crate::problem::{Place, Problem, Problems};
use crate::runbook::{Runbook, Step};
use crate::template::Written;
use crate::yaml;

const STEPS_MAX: usize = 100;
const TRIALS_MAX: usize = 100;

pub(crate) fn runbook(name: &str, text: &str) -> Result<Runbook, Problems> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let page = markdown::page(&text);
    let mut problems = page.problems;
    let top = Place { line: 1, column: 1 };
    let Some(front) = page.front else {
        let problem = Problem::new(top, "there is no front matter");
        return Err(problem
            .hint("a runbook begins with YAML between two lines `---`; `pi-host runbook new NAME` writes one")
            .into());
    };
    let mut runbook = match yaml::document(&front, Place { line: 2, column: 1 }) {
        Ok(node) => front::read(name, &node, &mut problems),
        Err(problem) => return Err(problem.into()),
    };
    if runbook.title.is_empty() {
        runbook.title.clone_from(&page.heading);
    }
    for block in &page.blocks {
        let node = match yaml::document(&block.text, block.origin) {
            Ok(node) => node,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        match block.mark {
            Mark::Step => {
                if let Some(step) = step::read(&node, block, &mut problems) {
                    runbook.steps.push(step);
                }
            }
            Mark::Test => runbook.trials.extend(trial::read(&node, block, &mut problems)),
        }
    }
    if runbook.steps.is_empty() && problems.is_empty() {
        problems.push(Problem::new(top, "there is no step").hint("a step is a fenced block, opened by ```yaml step"));
    }
    for (what, count, max) in [("steps", runbook.steps.len(), STEPS_MAX), ("tests", runbook.trials.len(), TRIALS_MAX)] {
        if count > max {
            problems.push(Problem::new(top, format!("{count} {what}, and {max} is the most")));
        }
    }
    references(&runbook, &mut problems);
    Problems::of(problems).map(|()| runbook)
}

/// Each expression may refer to parameters and to steps that come before it; what proves or undoes a step to the step
/// itself as well.
fn references(runbook: &Runbook, problems: &mut Vec<Problem>) {
    let mut before: Vec<&str> = Vec::new();
    let all: Vec<&str> = runbook.steps.iter().map(|step| step.id.as_str()).collect();
    let mut seen = BTreeSet::new();
    for step in &runbook.steps {
        if !seen.insert(step.id.as_str()) {
            problems.push(Problem::new(step.place, format!("another step has the id `{}`", step.id)));
        }
        let earlier = before.clone();
        before.push(&step.id);
        let look = |written: &Written, known: &[&str], has_own: bool| {
            let references = written.expression.references();
            references.into_iter().filter_map(|it| wrong(runbook, it, known, &all, has_own, written.place)).collect()
        };
        let mut found: Vec<Problem> = Vec::new();
        if let Some(written) = &step.when {
            found.extend::<Vec<_>>(look(written, &earlier, false));
        }
        for written in &step.expect {
            found.extend::<Vec<_>>(look(written, &before, true));
        }
        for (written, _) in step.act.arguments.expressions() {
            found.extend::<Vec<_>>(look(written, &earlier, false));
        }
        let verify = step.verify.as_ref().map(|verify| &verify.act);
        for (written, _) in step.undo.iter().chain(verify).flat_map(|act| act.arguments.expressions()) {
            found.extend::<Vec<_>>(look(written, &before, false));
        }
        for written in step.verify.iter().flat_map(|verify| &verify.expect) {
            found.extend::<Vec<_>>(look(written, &before, true));
        }
        problems.extend(found);
        spliced(runbook, step, problems);
    }
}

fn wrong(
    runbook: &Runbook,
    reference: &Reference,
    known: &[&str],
    all: &[&str],
    has_own: bool,
    place: Place,
) -> Option<Problem> {
    match reference {
        Reference::Parameter(name) => {
            let names = || runbook.parameters.iter().map(|parameter| parameter.name.as_str());
            if names().any(|own| own == name) {
                return None;
            }
            let mut hint = near::hint(name, names());
            if all.contains(&name.as_str()) {
                hint = format!("what the step gave is `result.{name}`");
            }
            Some(Problem::new(place, format!("there is no parameter `{}`", near::shown(name))).hint(hint))
        }
        Reference::Own if has_own => None,
        Reference::Own => Some(
            Problem::new(place, "`result` of which step?").hint("write `result.STEP`; alone it stands in `expect`"),
        ),
        Reference::Result(id) | Reference::Status(id) | Reference::Error(id) => {
            if known.contains(&id.as_str()) {
                return None;
            }
            if all.contains(&id.as_str()) {
                let message = format!("the step `{id}` has not been done here: it comes later, or is this one");
                return Some(Problem::new(place, message).hint("a step sees what the steps before it gave"));
            }
            let hint = near::hint(id, all.iter().copied());
            Some(Problem::new(place, format!("there is no step `{}`", near::shown(id))).hint(hint))
        }
    }
}

/// What stands within a longer text has to be one word.
fn spliced(runbook: &Runbook, step: &Step, problems: &mut Vec<Problem>) {
    let is_word = |name: &str| {
        let parameter = runbook.parameters.iter().find(|parameter| parameter.name == name);
        // One that is not known is a problem of its own.
        parameter.is_none_or(|parameter| parameter.kind.is_one_word())
    };
    for (written, is_whole) in step.acts().flat_map(|act| act.arguments.expressions()) {
        if !is_whole && !written.expression.is_one_word(is_word) {
            let source = near::shown(&written.source);
            let problem = Problem::new(written.place, format!("`{source}` within a text may be more than one word"));
            problems.push(problem.hint(format!(
                "`quoted({source})` in what a shell reads, `text({source})` in what no program does, or a parameter of the type `name`"
            )));
        }
    }
}
