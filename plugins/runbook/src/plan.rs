//! The dry run: what would be done, with final arguments as far as they are known before anything was done. What
//! depends on an answer stands there as it was written.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::parameter::Parameters;
use crate::runbook::{Act, Autonomy, OnFailure, Runbook};
use crate::scope::Scope;
use crate::template::Written;
use crate::tool::{Effect, Toolbox};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    pub runbook: String,
    pub parameters: Parameters,
    pub autonomy: Autonomy,
    pub timeout_ms: u64,
    pub steps: Vec<PlannedStep>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedStep {
    pub id: String,
    pub title: String,
    #[serde(flatten)]
    pub call: PlannedCall,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// `when` is known to be false.
    pub is_skipped: bool,
    pub expect: Vec<String>,
    pub is_irreversible: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<PlannedCall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<PlannedVerify>,
    pub on_failure: OnFailure,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedCall {
    pub tool: String,
    pub effect: Effect,
    pub arguments: Value,
    /// All arguments are known.
    pub is_final: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedVerify {
    #[serde(flatten)]
    pub call: PlannedCall,
    pub expect: Vec<String>,
    pub in_a_row: u32,
    pub attempts: u32,
    pub every_ms: u64,
}

pub(crate) fn plan(runbook: &Runbook, parameters: &Parameters, tools: &Toolbox) -> Plan {
    let nothing = BTreeMap::new();
    let scope = Scope { parameters, steps: &nothing, own: None };
    let call = |act: &Act| PlannedCall {
        tool: act.tool.clone(),
        effect: tools.get(&act.tool).map_or(Effect::Destructive, |tool| tool.effect),
        arguments: act.arguments.known(&scope),
        is_final: act.arguments.value(&scope).is_ok(),
    };
    let sources = |all: &[Written]| all.iter().map(|it| it.source.clone()).collect();
    let steps = runbook.steps.iter().map(|step| PlannedStep {
        id: step.id.clone(),
        title: step.title.clone(),
        call: call(&step.act),
        when: step.when.as_ref().map(|when| when.source.clone()),
        is_skipped: step.when.as_ref().is_some_and(|when| when.expression.is_true(&scope) == Ok(false)),
        expect: sources(&step.expect),
        is_irreversible: step.is_irreversible,
        undo: step.undo.as_ref().map(call),
        verify: step.verify.as_ref().map(|verify| PlannedVerify {
            call: call(&verify.act),
            expect: sources(&verify.expect),
            in_a_row: verify.in_a_row,
            attempts: verify.attempts,
            every_ms: verify.every_ms,
        }),
        on_failure: step.on_failure,
    });
    Plan {
        runbook: runbook.name.clone(),
        parameters: parameters.clone(),
        autonomy: runbook.autonomy,
        timeout_ms: runbook.timeout_ms,
        steps: steps.collect(),
    }
}
