//! A runbook against the tools that there are: what can be known before anything is called.

use crate::near::{self, shown};
use crate::problem::{Problem, Problems};
use crate::runbook::{Act, Runbook, Step};
use crate::scope::Scope;
use crate::template::Template;
use crate::tool::{Complaint, Effect, Toolbox, complaints};

pub(crate) fn check(runbook: &Runbook, tools: &Toolbox) -> Result<(), Problems> {
    let mut problems = Vec::new();
    for step in &runbook.steps {
        for act in step.acts() {
            arguments(act, tools, &mut problems);
        }
        effects(step, tools, &mut problems);
    }
    Problems::of(problems)
}

fn arguments(act: &Act, tools: &Toolbox, problems: &mut Vec<Problem>) {
    let Some(tool) = tools.get(&act.tool) else {
        let hint = near::hint(&act.tool, tools.keys().map(String::as_str));
        problems.push(Problem::new(act.tool_place, format!("there is no tool `{}`", shown(&act.tool))).hint(hint));
        return;
    };
    // Only what is fixed has a type already.
    let (parameters, steps) = Default::default();
    let nothing = Scope { parameters: &parameters, steps: &steps, own: None };
    let Template::Map(pairs) = &act.arguments else { return };
    let given: Vec<_> = pairs.iter().map(|(key, value)| (key.as_str(), value.value(&nothing).ok())).collect();
    let place = |key: &str| act.places.iter().find(|(own, _)| own == key).map_or(act.place, |(_, place)| *place);
    for complaint in complaints(&tool.schema, &given) {
        problems.push(match complaint {
            Complaint::Unknown { key, known } => {
                let message = format!("`{}` takes no `{}`", act.tool, shown(&key));
                Problem::new(place(&key), message).hint(near::hint(&key, known))
            }
            Complaint::Type { key, wanted } => {
                Problem::new(place(&key), format!("`{}` wants of `{}` {}", act.tool, key, article(wanted)))
            }
            Complaint::Missing(key) => Problem::new(act.place, format!("`{}` needs `{key}`", act.tool)),
        });
    }
}

fn article(kind: &str) -> String {
    let first = kind.chars().next().unwrap_or(' ');
    if "aeiou".contains(first) { format!("an {kind}") } else { format!("a {kind}") }
}

fn effects(step: &Step, tools: &Toolbox, problems: &mut Vec<Problem>) {
    let effect = |act: &Act| tools.get(&act.tool).map(|tool| tool.effect);
    let is_change = effect(&step.act).is_some_and(|effect| effect != Effect::Read);
    if is_change && step.undo.is_none() && !step.is_irreversible {
        let message = format!("the step `{}` changes something (`{}`), and has no `undo`", step.id, step.act.tool);
        let problem = Problem::new(step.place, message);
        problems.push(problem.hint("say how it is taken back, or `irreversible: true`"));
    }
    if effect(&step.act) == Some(Effect::Read) {
        if let Some(undo) = &step.undo {
            problems
                .push(Problem::new(undo.place, format!("`{}` only looks: there is nothing to undo", step.act.tool)));
        }
        if step.is_irreversible {
            problems.push(Problem::new(step.place, format!("`{}` only looks: it is not irreversible", step.act.tool)));
        }
    }
    if let Some(verify) = &step.verify
        && effect(&verify.act).is_some_and(|effect| effect != Effect::Read)
    {
        let message = format!("`verify` looks, and `{}` changes something", verify.act.tool);
        problems.push(Problem::new(verify.act.tool_place, message));
    }
}
