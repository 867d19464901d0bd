//! A simulated world for the tests: services that fall ill by a fault, show what such a service
//! shows, and are healed by the right act alone. It is a [`World`] like the real one; the agent
//! cannot tell.

use std::collections::BTreeMap;

use pi_sdk::model::{self, Answer as ModelAnswer, Error as ModelError, Info, Message, Part, Request, Role};
use pi_sdk::{Content, Definition, Effect, Error, Outcome, Task, Value, json};

use crate::world::{Answer, Call, Level, Trouble, World};

pub const GOOD: &str = "listen = 9000\npool = 8\nmode = fast\n";
pub const BAD: &str = "listen = 9000\npool = eight\nmode = fast\n";
/// The model calls nothing more.
pub const DONE: (&str, Value) = ("", Value::Null);
pub const START_MS: u64 = 1_700_000_000_000;

#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Answers 500 while the file holds [`BAD`]; `is_live`: reads the file at each request.
    Config { is_live: bool },
    /// Killed at its limit `life_ms` after each start while the file holds [`BAD`].
    OomByConfig { life_ms: u64 },
    /// Killed at its limit `life_ms` after each start, whatever one does.
    OomForEver { life_ms: u64 },
    /// Stopped until it is started again.
    Stopped,
    /// Deadlocked until it is started again.
    Deadlocked,
    /// No room in its log until the log is rotated.
    Full,
    /// A stray on its port.
    Stray,
    /// Answers 500 for ever; nobody knows why.
    Defect,
    /// Fails every third probe, for ever.
    Unsteady,
}

pub struct Service {
    pub name: String,
    pub is_external: bool,
    pub depends_on: Vec<String>,
    pub faults: Vec<Fault>,
    pub port: u16,
    pub pid: Option<u32>,
    pub started_ms: u64,
    pub starts: u32,
    pub file: String,
    pub file_good: String,
    pub file_changed_ms: u64,
    /// The file as the process has read it.
    pub loaded: String,
    pub log_bytes: u64,
    pub exits: Vec<Value>,
    pub logs: Vec<Value>,
    /// It is up whatever its faults say, until then: a blip, or a service that others mend.
    pub mends_at_ms: Option<u64>,
    /// External, and down.
    pub is_dead: bool,
}

pub struct Simulation {
    pub now: u64,
    pub services: Vec<Service>,
    /// The stray's pid, while it lives.
    pub stray: Option<u32>,
    pub stray_service: Option<String>,
    /// Every call that changes something and took effect.
    pub effects: Vec<String>,
    /// By tool: these answers come first, instead of anything being done.
    pub refused: BTreeMap<&'static str, Trouble>,
    /// By tool: take effect or not, and answer "unknown", once.
    pub unknown: BTreeMap<&'static str, bool>,
    pub probes: u32,
    /// What the model calls, one answer after the other, an empty name for none; none, where no model is granted.
    pub model: Option<Vec<(&'static str, Value)>>,
    /// What people have written: names and texts.
    pub runbooks: Vec<(&'static str, String)>,
    /// What the model was asked.
    pub asked: Vec<Request>,
    next_pid: u32,
}

impl Service {
    pub fn new(name: &str, port: u16) -> Self {
        Self {
            name: name.into(),
            is_external: false,
            depends_on: Vec::new(),
            faults: Vec::new(),
            port,
            pid: Some(u32::from(port)),
            started_ms: START_MS - 600_000,
            starts: 1,
            file: GOOD.into(),
            file_good: GOOD.into(),
            file_changed_ms: 0,
            loaded: GOOD.into(),
            log_bytes: 20_000,
            exits: Vec::new(),
            logs: vec![json!({ "time_ms": START_MS - 300_000, "source": "app.log", "message": "listening" })],
            mends_at_ms: None,
            is_dead: false,
        }
    }

    pub fn external(name: &str) -> Self {
        Self { is_external: true, pid: None, ..Self::new(name, 0) }
    }

    pub fn on(mut self, dependency: &str) -> Self {
        self.depends_on.push(dependency.into());
        self
    }

    /// Fall ill, some seconds before the alert.
    pub fn ill(mut self, fault: Fault) -> Self {
        match &fault {
            Fault::Config { .. } | Fault::OomByConfig { .. } => {
                self.file = BAD.into();
                self.loaded = BAD.into();
                self.file_changed_ms = START_MS - 6_000;
            }
            Fault::Full => self.log_bytes = 100_000,
            _ => {}
        }
        self.faults.push(fault);
        self
    }

    fn has(&self, fault: impl Fn(&Fault) -> bool) -> bool {
        self.faults.iter().any(fault)
    }
}

impl Simulation {
    pub fn new(services: Vec<Service>) -> Self {
        let has_stray = services.iter().any(|service| service.has(|fault| *fault == Fault::Stray));
        let mut simulation = Self {
            now: START_MS,
            services,
            stray: has_stray.then_some(66),
            stray_service: None,
            effects: Vec::new(),
            refused: BTreeMap::new(),
            unknown: BTreeMap::new(),
            probes: 0,
            model: None,
            runbooks: Vec::new(),
            asked: Vec::new(),
            next_pid: 70_000,
        };
        for index in 0..simulation.services.len() {
            simulation.crash(index, START_MS - 4_000);
        }
        simulation
    }

    /// Run the agent on an alert for `service`.
    pub fn wake(&mut self, service: &str) -> (Outcome, Value) {
        self.wake_with(service, "{}")
    }

    pub fn wake_with(&mut self, service: &str, config: &str) -> (Outcome, Value) {
        let alert = json!({
            "title": format!("{service} fails its probe"), "source": "watch", "state": "alerting", "service": service,
            "time": crate::instant::rfc3339(START_MS - 3_000), "detail": "3 probes in a row failed",
        });
        let task = Task {
            id: "s1".into(),
            prompt: String::new(),
            input: with_runbooks(json!({ "alert": alert }), &self.runbooks).to_string(),
            config: config.into(),
        };
        let outcome = crate::wake::wake(self, &task).unwrap();
        let details = pi_sdk::serde_json::from_str(&outcome.details).unwrap();
        (outcome, details)
    }

    pub fn service(&mut self, name: &str) -> &mut Service {
        self.services.iter_mut().find(|service| service.name == name).unwrap()
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.services.iter().position(|service| service.name == name)
    }

    /// End those processes that cannot live, and start those whose back-off is over.
    fn settle(&mut self) {
        let now = self.now;
        for index in 0..self.services.len() {
            self.mend(index);
            let Some(service) = self.services.get(index) else { continue };
            if service.pid.is_some() {
                self.crash(index, now);
            } else if !service.is_external {
                let ended = service.exits.first().and_then(|exit| exit["time_ms"].as_u64()).unwrap_or(0);
                if now >= ended + 4_000 {
                    self.start(index);
                    self.crash(index, now);
                }
            }
        }
    }

    fn mend(&mut self, index: usize) {
        let now = self.now;
        if let Some(service) = self.services.get_mut(index).filter(|it| it.mends_at_ms.is_some_and(|at| now >= at)) {
            service.mends_at_ms = None;
            service.faults.clear();
            service.is_dead = false;
        }
    }

    /// End the process of a service that has a fault which ends it.
    fn crash(&mut self, index: usize, now: u64) {
        let has_stray = self.stray.is_some();
        let Some(service) = self.services.get_mut(index).filter(|it| it.pid.is_some()) else { return };
        let lived = now.saturating_sub(service.started_ms);
        let oom = service.faults.iter().find_map(|fault| match fault {
            Fault::OomByConfig { life_ms } if service.loaded == BAD => Some(*life_ms),
            Fault::OomForEver { life_ms } => Some(*life_ms),
            _ => None,
        });
        let exit = if oom.is_some_and(|life| lived >= life) {
            let uptime = oom.unwrap_or(0);
            json!({ "time_ms": now, "code": null, "signal": 9, "out_of_memory": true, "uptime_ms": uptime, "last_words": "" })
        } else if has_stray && service.has(|fault| *fault == Fault::Stray) {
            json!({ "time_ms": now, "code": 1, "signal": null, "out_of_memory": false, "uptime_ms": 30,
                "last_words": "bind: Address already in use (os error 98)" })
        } else {
            return;
        };
        service.exits.insert(0, exit);
        service.exits.truncate(16);
        service.pid = None;
    }

    fn start(&mut self, index: usize) {
        self.next_pid += 1;
        let (now, pid) = (self.now, self.next_pid);
        if let Some(service) = self.services.get_mut(index) {
            service.pid = Some(pid);
            service.started_ms = now;
            service.starts += 1;
            service.loaded = service.file.clone();
            service.faults.retain(|fault| !matches!(fault, Fault::Stopped | Fault::Deadlocked));
        }
    }

    /// Whether a service does its work, or how its probe fails.
    fn answer(&self, service: &Service) -> Result<(), (Option<u16>, String)> {
        let timeout = || Err((None, "timed out after 500 ms".into()));
        if service.is_external {
            return if service.is_dead { Err((None, "connection refused".into())) } else { Ok(()) };
        }
        if self.stray.is_some() && service.has(|fault| *fault == Fault::Stray) {
            return timeout();
        }
        if service.pid.is_none() {
            return Err((None, "connection refused".into()));
        }
        if service.has(|fault| matches!(fault, Fault::Stopped | Fault::Deadlocked)) {
            return timeout();
        }
        for fault in &service.faults {
            match fault {
                Fault::Config { is_live } => {
                    let text = if *is_live { &service.file } else { &service.loaded };
                    if text == BAD {
                        return Err((Some(500), "500 Internal Server Error: pool: invalid digit: eight".into()));
                    }
                }
                Fault::Full if service.log_bytes >= 99_000 => {
                    return Err((Some(500), "500 Internal Server Error: write: No space left on device".into()));
                }
                Fault::Defect => return Err((Some(500), "500 Internal Server Error: index out of bounds".into())),
                Fault::Unsteady if self.probes.is_multiple_of(3) => return Err((Some(502), "502 Bad Gateway".into())),
                _ => {}
            }
        }
        let sick = |name: &String| self.services.iter().any(|it| it.name == *name && self.answer(it).is_err());
        match service.depends_on.iter().find(|name| sick(name)) {
            Some(name) => Err((Some(503), format!("503 Service Unavailable: upstream {name}: connection refused"))),
            None => Ok(()),
        }
    }

    fn do_it(&mut self, call: &Call) -> Answer {
        let name = call.arguments["name"].as_str().unwrap_or_default().to_owned();
        let unknown_service = || Trouble::Failed(format!("no service `{name}` within the grant"));
        match &*call.tool {
            "service_list" => Ok(self.services.iter().map(description).collect()),
            "service_probe" => {
                self.probes += 1;
                let service = self.services.iter().find(|it| it.name == name).ok_or_else(unknown_service)?;
                Ok(match self.answer(service) {
                    Ok(()) => {
                        json!({ "healthy": true, "latency_ms": 3, "detail": "200 OK", "status_code": 200, "exit_code": null })
                    }
                    Err((status, detail)) => {
                        json!({ "healthy": false, "latency_ms": 9, "detail": detail, "status_code": status, "exit_code": null })
                    }
                })
            }
            "service_status" => {
                let service = self.services.iter().find(|it| it.name == name).ok_or_else(unknown_service)?;
                Ok(condition(service, self.now))
            }
            "service_logs" => {
                let now = self.now;
                let service = self.services.iter().find(|it| it.name == name).ok_or_else(unknown_service)?;
                let mut lines = service.logs.clone();
                if let Err((Some(_), detail)) = self.answer(service) {
                    lines.push(
                        json!({ "time_ms": now - 100, "source": "app.log", "message": format!("ERROR {detail}") }),
                    );
                }
                Ok(Value::Array(lines))
            }
            "service_changes" => {
                let service = self.services.iter().find(|it| it.name == name).ok_or_else(unknown_service)?;
                Ok(if service.file == service.file_good {
                    json!([])
                } else {
                    json!([{ "path": format!("/etc/{name}.conf"), "modified_ms": service.file_changed_ms, "before": service.file_good, "after": service.file }])
                })
            }
            "port_owner" => Ok(self.owner(call.arguments["port"].as_u64().unwrap_or(0))),
            "service_restart" => {
                let index = self.index(&name).ok_or_else(unknown_service)?;
                self.effects.push(format!("restart {name}"));
                self.start(index);
                let now = self.now;
                self.crash(index, now + 30);
                self.now += 300;
                Ok(json!({ "name": name, "is_restarted": true }))
            }
            "process_end" => {
                if self.stray.map(u64::from) != call.arguments["pid"].as_u64() {
                    return Err(Trouble::Failed("no such process".into()));
                }
                self.effects.push("end".into());
                self.stray = None;
                Ok(json!({ "is_ended": true }))
            }
            "log_rotate" => {
                let service = self.services.iter_mut().find(|it| it.name == name).ok_or_else(unknown_service)?;
                service.log_bytes = 0;
                self.effects.push(format!("rotate {name}"));
                Ok(json!({ "name": name, "archive": "/archive/1" }))
            }
            "edit" => self.edit(&call.arguments),
            "read" => {
                let path = call.arguments["path"].as_str().unwrap_or_default();
                let service = self.services.iter().find(|it| format!("/etc/{}.conf", it.name) == path);
                service.map(|it| Value::String(it.file.clone())).ok_or_else(|| Trouble::Failed("not found".into()))
            }
            other => Err(Trouble::NotGranted(format!("the tool `{other}`"))),
        }
    }

    fn edit(&mut self, arguments: &Value) -> Answer {
        let text = |key: &str| arguments[key].as_str().unwrap_or_default().to_owned();
        let (path, old, new) = (text("path"), text("old"), text("new"));
        let service = self.services.iter_mut().find(|it| format!("/etc/{}.conf", it.name) == path);
        let service = service.ok_or_else(|| Trouble::Failed(format!("not found: `{path}`")))?;
        let found = service.file.matches(&old).count();
        if found != 1 {
            return Err(Trouble::Failed(format!("`old` stands {found} times in `{path}`")));
        }
        service.file = service.file.replace(&old, &new);
        self.effects.push(format!("edit {path}"));
        Ok(json!({ "path": path, "replacements": 1, "diff": "" }))
    }

    fn owner(&self, port: u64) -> Value {
        let owner = |pid: u32, command: &str, service: Option<&str>| json!({ "pid": pid, "start_time": 5, "command": command, "uid": 0, "uptime_ms": 9_000, "service": service });
        let Some(service) = self.services.iter().find(|it| u64::from(it.port) == port && port != 0) else {
            return Value::Null;
        };
        match (self.stray, service.pid) {
            (Some(pid), _) if service.has(|fault| *fault == Fault::Stray) => {
                owner(pid, "python3 -m http.server", self.stray_service.as_deref())
            }
            (_, Some(pid)) => owner(pid, "/usr/bin/app", Some(&service.name)),
            _ => Value::Null,
        }
    }
}

impl World for Simulation {
    fn call(&mut self, calls: &[Call]) -> Vec<Answer> {
        self.now += 10;
        let mut answers = Vec::new();
        for call in calls {
            self.settle();
            if let Some(trouble) = self.refused.get(&*call.tool) {
                answers.push(Err(trouble.clone()));
            } else if let Some(takes_effect) = self.unknown.remove(&*call.tool) {
                if takes_effect {
                    let _ = self.do_it(call);
                }
                answers.push(Err(Trouble::Unknown("the host was killed".into())));
            } else {
                answers.push(self.do_it(call));
            }
        }
        answers
    }

    fn models(&mut self) -> Vec<Info> {
        let info = Info { name: "m".into(), context_tokens: 100_000, output_tokens: 4_000 };
        if self.model.is_some() { vec![info] } else { Vec::new() }
    }

    fn tools(&mut self) -> Vec<Definition> {
        let tool = |name: &str, effect: Effect| Definition {
            name: name.into(),
            description: String::new(),
            input_schema: "{}".into(),
            effect,
            idempotent: false,
        };
        vec![
            tool("service_status", Effect::Read),
            tool("service_probe", Effect::Read),
            tool("service_restart", Effect::Write),
            tool("edit", Effect::Write),
            tool("log_rotate", Effect::Write),
        ]
    }

    fn complete(&mut self, _model: &str, request: &Request) -> Result<ModelAnswer, ModelError> {
        self.asked.push(request.clone());
        let script = self.model.as_mut().unwrap();
        let (tool, arguments) = if script.is_empty() { DONE } else { script.remove(0) };
        let parts = if tool.is_empty() {
            vec![Part::Text("that is all".into())]
        } else {
            let id = format!("c{}", self.asked.len());
            vec![Part::Call(model::Call { id, tool: tool.into(), arguments: arguments.to_string() })]
        };
        let stop = model::Stop::End;
        let usage = model::Usage { input: 1, output: 1, cache_read: 0, cache_write: 0 };
        Ok(ModelAnswer { message: Message { role: Role::Assistant, parts }, stop, usage })
    }

    fn call_named(&mut self, calls: &[(String, String)]) -> Vec<Result<Vec<Content>, Error>> {
        let one = |(tool, arguments): &(String, String)| {
            let call = Call::new(tool.clone(), pi_sdk::serde_json::from_str(arguments).unwrap());
            let answer = self.do_it(&call);
            answer
                .map(|value| vec![Content::Json(value.to_string())])
                .map_err(|trouble| Error::Failed(trouble.to_string()))
        };
        calls.iter().map(one).collect()
    }

    fn now_ms(&mut self) -> u64 {
        self.now
    }

    fn sleep(&mut self, ms: u32) {
        self.now += u64::from(ms);
    }

    fn say(&mut self, _level: Level, _message: &str) {}
}

/// An input as the host gives it, with the project's runbooks.
pub fn with_runbooks(mut input: Value, runbooks: &[(&'static str, String)]) -> Value {
    if !runbooks.is_empty() {
        input["runbooks"] = runbooks.iter().map(|(name, text)| json!({ "name": name, "text": text })).collect();
    }
    input
}

fn description(service: &Service) -> Value {
    let ports = if service.port == 0 { json!([]) } else { json!([service.port]) };
    json!({
        "name": service.name, "supervised": !service.is_external, "depends_on": service.depends_on,
        "log_files": ["/var/log/app.log"], "config_files": [format!("/etc/{}.conf", service.name)], "ports": ports,
        "probe": format!("http http://127.0.0.1:{}/", service.port), "memory_bytes_max": 64 << 20,
    })
}

fn condition(service: &Service, now: u64) -> Value {
    if service.is_external {
        return json!({ "name": service.name, "state": "external", "pid": null, "starts": 0, "exits": [], "process_states": "", "disks": [] });
    }
    let is_up = service.pid.is_some();
    let letters = match (is_up, service.has(|fault| *fault == Fault::Stopped)) {
        (false, _) => "",
        (true, true) => "T",
        (true, false) => "S",
    };
    json!({
        "name": service.name,
        "state": if is_up { "running" } else { "backing_off" },
        "pid": service.pid,
        "uptime_ms": is_up.then(|| now.saturating_sub(service.started_ms)),
        "starts": service.starts,
        "exits": service.exits,
        "memory_bytes": is_up.then_some(8u64 << 20),
        "memory_bytes_max": 64u64 << 20,
        "process_states": letters,
        "cpu_load": is_up.then_some(0.01),
        "disks": [{ "path": "/var/log", "available_bytes": 100_000 - service.log_bytes, "total_bytes": 100_000,
            "files": [{ "path": "/var/log/app.log", "bytes": service.log_bytes }] }],
    })
}

mod cloud;
mod cloud_healing;
mod counselled;
mod healing;
mod written;
