//! An agent that misbehaves as its prompt says.

use pi_sdk::tools::{self, Request};
use pi_sdk::{AgentPlugin, Outcome, Status, Task, session};

struct Agent;

impl AgentPlugin for Agent {
    fn run(task: Task) -> Result<Outcome, String> {
        match task.prompt.as_str() {
            "loop_forever" => loop {
                std::hint::black_box(());
            },
            "sleep_forever" => loop {
                session::sleep(u32::MAX);
            },
            "panic" => panic!("the agent panics as it was told"),
            "claim" => Ok(Outcome {
                status: Status::Done,
                summary: "healed, says the agent, and shows no evidence".into(),
                details: "{\"diagnosis\": {\"verification\": {\"healthy_probes\": 3}}}".into(),
            }),
            "bad_details" => Ok(Outcome {
                status: Status::Done,
                summary: "the details are no JSON".into(),
                details: "{\"open\": ".into(),
            }),
            "call_forever" => loop {
                let request = Request { name: "noop".into(), arguments: "{}".into() };
                std::hint::black_box(tools::call(&[request]));
            },
            // `call NAME ARGUMENTS`: what an agent that behaves does.
            prompt if prompt.starts_with("call ") => {
                let (name, arguments) = prompt["call ".len()..].split_once(' ').ok_or("there are no arguments")?;
                let available = tools::available().iter().any(|tool| tool.name == name);
                let request = Request { name: name.into(), arguments: arguments.into() };
                let results = tools::call(&[request]);
                Ok(Outcome {
                    status: Status::Done,
                    summary: format!("available: {available}; {results:?}"),
                    details: "{}".into(),
                })
            }
            _ => Err("the prompt names no misbehaviour".into()),
        }
    }
}

pi_sdk::agent!(Agent);
