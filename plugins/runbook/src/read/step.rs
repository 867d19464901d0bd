//! A step: a tool with arguments, when it is done, what is expected, how it is proved and taken back.

use serde_json::Value;

use super::fields::Fields;
use super::front::is_identifier;
use crate::markdown::Block;
use crate::near::shown;
use crate::problem::Problem;
use crate::runbook::{Act, OnFailure, Step, Verify};
use crate::template::Template;
use crate::yaml::{Node, Tree};

const IN_A_ROW: u32 = 3;
const ATTEMPTS_MAX: u32 = 1_000;
const EVERY_MS: u64 = 1_000;
/// Looks that are closer are one look.
const EVERY_MS_MIN: u64 = 50;

pub(super) fn read(node: &Node, block: &Block, problems: &mut Vec<Problem>) -> Option<Step> {
    let mut fields = Fields::of(node, "a step");
    fields.required("id");
    let id = fields.text("id");
    if let Some((id, place)) = id
        && !is_identifier(id, '-')
    {
        let problem = Problem::new(place, format!("`{}` is no id for a step", shown(id)));
        fields.problems.push(problem.hint("small letters, digits, `-` and `_`, a letter first"));
    }
    let act = act(&mut fields);
    let when = fields.expression("when");
    let expect = fields.expressions("expect");
    let undo = fields.node("undo").and_then(|node| {
        let mut fields = Fields::of(node, "`undo`");
        let act = self::act(&mut fields);
        fields.end(problems);
        act
    });
    let is_irreversible = fields.truth("irreversible").unwrap_or(false);
    let verify = fields.node("verify").and_then(|node| verify(node, problems));
    let on_failure = fields.word("on_failure", &OnFailure::ALL).unwrap_or(OnFailure::Stop);
    let place = fields.place();
    if let (true, Some(undo)) = (is_irreversible, &undo) {
        fields.problems.push(Problem::new(undo.place, "`irreversible`, and there is an `undo`"));
    }
    fields.end(problems);
    Some(Step {
        id: id?.0.to_owned(),
        title: block.heading.clone(),
        place,
        act: act?,
        when,
        expect,
        undo,
        is_irreversible,
        verify,
        on_failure,
    })
}

fn verify(node: &Node, problems: &mut Vec<Problem>) -> Option<Verify> {
    let mut fields = Fields::of(node, "`verify`");
    let act = act(&mut fields);
    let expect = fields.expressions("expect");
    if fields.required("expect").is_some() && fields.items("expect").is_empty() {
        fields.problems.push(Problem::new(fields.place(), "`verify` expects nothing, and would prove nothing"));
    }
    let in_a_row = fields.count("in_a_row", 1, ATTEMPTS_MAX).unwrap_or(IN_A_ROW);
    let attempts = fields.count("attempts", 1, ATTEMPTS_MAX).unwrap_or(in_a_row.saturating_mul(4).min(ATTEMPTS_MAX));
    let every_ms = fields.duration_ms("every", EVERY_MS_MIN).unwrap_or(EVERY_MS);
    if attempts < in_a_row {
        let message = format!("{attempts} attempts, and {in_a_row} in a row are needed");
        fields.problems.push(Problem::new(fields.place(), message));
    }
    fields.end(problems);
    Some(Verify { act: act?, expect, in_a_row, attempts, every_ms })
}

fn act(fields: &mut Fields<'_>) -> Option<Act> {
    let place = fields.place();
    fields.required("tool");
    let tool = fields.text("tool");
    let node = fields.node("arguments");
    let mut arguments = Template::Map(Vec::new());
    let mut places = Vec::new();
    match node.map(|node| (node, &node.tree)) {
        None | Some((_, Tree::Scalar(Value::Null))) => {}
        Some((node, Tree::Map(pairs))) => {
            arguments = Template::parse(node, &mut fields.problems);
            places = pairs.iter().map(|(key, _)| (key.text.clone(), key.place)).collect();
        }
        Some((node, _)) => {
            let message = format!("`arguments` is {}, and has to be a map", node.kind());
            fields.problems.push(Problem::new(node.place, message));
        }
    }
    let (tool, tool_place) = tool?;
    Some(Act { place, tool: tool.to_owned(), tool_place, arguments, places })
}
