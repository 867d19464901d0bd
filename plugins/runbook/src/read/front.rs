//! The front matter: what a runbook is for, and what it is given.

use serde_json::Value;

use super::fields::Fields;
use crate::near::{self, shown};
use crate::parameter::{Kind, Parameter, Source, Type};
use crate::problem::{Place, Problem};
use crate::runbook::{Autonomy, Runbook};
use crate::yaml::Node;

/// Of a runbook that says nothing.
const TIMEOUT_MS: u64 = 15 * 60_000;
const PARAMETERS_MAX: usize = 50;
const NAME_CHARS_MAX: usize = 64;

/// The root causes that are known (docs/diagnosis.md); `healthy` and `unknown` call for no runbook.
const CAUSES: [&str; 27] = [
    "oom_killed",
    "cpu_saturation",
    "storage_full",
    "connection_exhaustion",
    "replication_lag",
    "failover",
    "slow_query",
    "lock_contention",
    "memory_leak",
    "error_spike_after_deploy",
    "bad_configuration",
    "crash_loop",
    "image_pull_backoff",
    "pending_pod",
    "probe_failure",
    "resource_quota_exceeded",
    "dns_resolution_failure",
    "node_not_ready",
    "deployment_rollout_stuck",
    "dependency_down",
    "certificate_expired",
    "permission_denied",
    "port_conflict",
    "disk_io_saturation",
    "network_partition",
    "throttled",
    "process_hung",
];

pub(super) fn read(file: &str, node: &Node, problems: &mut Vec<Problem>) -> Runbook {
    let mut fields = Fields::of(node, "the front matter");
    let name = fields.text("name");
    if let Some((name, place)) = name
        && name != file
    {
        let message = format!("`name` is `{}`, and the file's is `{}`", shown(name), shown(file));
        fields.problems.push(Problem::new(place, message).hint("leave `name` out, or rename the file"));
    }
    if !is_identifier(file, '-') || file.chars().count() > NAME_CHARS_MAX {
        let message = format!("`{}` is no name for a runbook", shown(file));
        let problem = Problem::new(Place { line: 1, column: 1 }, message);
        fields.problems.push(problem.hint("name the file by small letters, digits, `-` and `_`, a letter first"));
    }
    let title = fields.text("title").map(|(text, _)| text.to_owned()).unwrap_or_default();
    let description = fields.text("description").map(|(text, _)| text.trim().to_owned()).unwrap_or_default();
    let applies_to = fields.node("applies_to").map(|node| applies_to(node, &mut fields.problems));
    let (causes, services, kinds) = applies_to.unwrap_or_default();
    let parameters = fields.node("parameters").map(|node| parameters(node, &mut fields.problems)).unwrap_or_default();
    let autonomy = fields.word("autonomy", &Autonomy::ALL).unwrap_or(Autonomy::Auto);
    let timeout_ms = fields.duration_ms("timeout", 1_000).unwrap_or(TIMEOUT_MS);
    fields.end(problems);
    Runbook {
        name: file.to_owned(),
        title,
        description,
        causes,
        services,
        kinds,
        parameters,
        autonomy,
        timeout_ms,
        steps: Vec::new(),
        trials: Vec::new(),
    }
}

fn applies_to(node: &Node, problems: &mut Vec<Problem>) -> (Vec<String>, Vec<String>, Vec<Kind>) {
    let mut fields = Fields::of(node, "`applies_to`");
    let mut causes = Vec::new();
    for (cause, place) in fields.texts("causes") {
        if CAUSES.contains(&cause) {
            causes.push(cause.to_owned());
        } else {
            let message = format!("there is no root cause `{}`", shown(cause));
            fields.problems.push(Problem::new(place, message).hint(near::hint(cause, CAUSES)));
        }
    }
    let services = fields.texts("services").into_iter().map(|(text, _)| text.to_owned()).collect();
    let kinds = fields.words("kinds", &Kind::ALL);
    fields.end(problems);
    (causes, services, kinds)
}

fn parameters(node: &Node, problems: &mut Vec<Problem>) -> Vec<Parameter> {
    let Some(pairs) = node.pairs() else {
        let message = format!("`parameters` is {}, and has to be a map of names", node.kind());
        problems.push(Problem::new(node.place, message));
        return Vec::new();
    };
    if pairs.len() > PARAMETERS_MAX {
        problems.push(Problem::new(node.place, format!("more than {PARAMETERS_MAX} parameters")));
    }
    let mut parameters = Vec::new();
    for (key, node) in pairs {
        let is_taken = ["result", "status", "error", "and", "or", "not", "contains", "true", "false", "null"]
            .contains(&key.text.as_str());
        if !is_identifier(&key.text, '_') || is_taken {
            let problem = Problem::new(key.place, format!("`{}` is no name for a parameter", shown(&key.text)));
            problems.push(problem.hint("small letters, digits and `_`, a letter first, and no word of expressions"));
        }
        parameters.push(parameter(&key.text, key.place, node, problems));
    }
    parameters
}

fn parameter(name: &str, place: Place, node: &Node, problems: &mut Vec<Problem>) -> Parameter {
    let mut fields = Fields::of(node, "a parameter");
    fields.required("type");
    let kind = fields.word("type", &Type::ALL);
    let description = fields.text("description").map(|(text, _)| text.to_owned()).unwrap_or_default();
    let default = fields.node("default");
    let from = fields.word("from", &Source::ALL);
    let one_of = fields.items("one_of");
    let bounds = ["minimum", "maximum"].map(|key| {
        let node = fields.node(key)?;
        let bound = node.json().as_f64();
        if bound.is_none() {
            fields.problems.push(Problem::new(node.place, format!("`{key}` has to be a number")));
        }
        bound
    });
    let is_typed = kind.is_some();
    // One whose type is wrong is there all the same: what refers to it is not wrong as well.
    let parameter = Parameter {
        name: name.to_owned(),
        kind: kind.unwrap_or(Type::Name),
        description,
        default: default.map(Node::json).filter(|value| *value != Value::Null),
        from,
        one_of: one_of.iter().map(|node| node.json()).collect(),
        minimum: bounds[0],
        maximum: bounds[1],
        place,
    };
    if is_typed {
        for node in &one_of {
            let alone = Parameter { one_of: Vec::new(), ..parameter.clone() };
            if let Some(complaint) = alone.complaint(&node.json()) {
                fields.problems.push(Problem::new(node.place, format!("`one_of`: {complaint}")));
            }
        }
        if let (Some(node), Some(value)) = (default, &parameter.default)
            && let Some(complaint) = parameter.complaint(value)
        {
            fields.problems.push(Problem::new(node.place, format!("`default`: {complaint}")));
        }
    }
    fields.end(problems);
    parameter
}

/// Small letters, digits, `_` and one more character, a letter first.
pub(super) fn is_identifier(text: &str, more: char) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == more)
        && text.chars().count() <= NAME_CHARS_MAX
}
