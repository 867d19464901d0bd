//! A test of a runbook: what the tools answer, and what has to come of it.

use super::fields::Fields;
use crate::markdown::Block;
use crate::parameter::Parameters;
use crate::problem::Problem;
use crate::run::{Answer, Outcome};
use crate::trial::{Exchange, Trial};
use crate::yaml::{Node, Tree};

const TIMES_MAX: u32 = 1_000;

pub(super) fn read(node: &Node, block: &Block, problems: &mut Vec<Problem>) -> Option<Trial> {
    let mut fields = Fields::of(node, "a test");
    fields.required("name");
    let name = fields.text("name").map(|(text, _)| text.to_owned());
    let parameters = fields.node("parameters").map(|node| parameters(node, &mut fields.problems)).unwrap_or_default();
    fields.required("calls");
    let calls = fields.items("calls");
    let exchanges: Vec<_> = calls.into_iter().filter_map(|node| exchange(node, &mut fields.problems)).collect();
    fields.required("outcome");
    let outcome = fields.word("outcome", &Outcome::ALL);
    fields.end(problems);
    Some(Trial { name: name?, place: block.opened, parameters, exchanges, outcome: outcome? })
}

fn parameters(node: &Node, problems: &mut Vec<Problem>) -> Parameters {
    match node.pairs() {
        Some(pairs) => pairs.iter().map(|(key, node)| (key.text.clone(), node.json())).collect(),
        None => {
            problems.push(Problem::new(node.place, "`parameters` has to be a map of names"));
            Parameters::new()
        }
    }
}

fn exchange(node: &Node, problems: &mut Vec<Problem>) -> Option<Exchange> {
    let mut fields = Fields::of(node, "a call");
    fields.required("tool");
    let tool = fields.text("tool").map(|(text, _)| text.to_owned());
    let arguments = fields.node("arguments").map(|node| {
        if !matches!(node.tree, Tree::Map(_)) {
            fields.problems.push(Problem::new(node.place, "`arguments` has to be a map"));
        }
        node.json()
    });
    let mut answers = Vec::new();
    if let Some(node) = fields.node("answer") {
        answers.push(Answer::Done(node.json()));
    }
    answers.extend(fields.text("failed").map(|(text, _)| Answer::Failed(text.to_owned())));
    answers.extend(fields.text("refused").map(|(text, _)| Answer::Refused(text.to_owned())));
    answers.extend(fields.text("unknown").map(|(text, _)| Answer::Unknown(text.to_owned())));
    if answers.len() != 1 {
        let message = "a call needs one of `answer`, `failed`, `refused` and `unknown`";
        fields.problems.push(Problem::new(node.place, message));
    }
    let times = fields.count("times", 1, TIMES_MAX).unwrap_or(1);
    fields.end(problems);
    Some(Exchange { place: node.place, tool: tool?, arguments, answer: answers.pop()?, times })
}
