//! A hundred rules as an operations team would write them: twenty modules of five, each rule different.

const RULES_EACH: usize = 5;

/// The packages: what nearly every command asks first, then what only some do.
const KINDS: [&str; 20] = [
    "any",
    "script",
    "process",
    "file",
    "database",
    "network",
    "kubernetes",
    "cloud",
    "package",
    "history",
    "secret",
    "infrastructure",
    "queue",
    "service",
    "host",
    "code",
    "process_run",
    "file_write",
    "file_remove",
    "tool_call",
];

/// The name and the text of each module.
pub(crate) fn rules() -> Vec<(String, String)> {
    KINDS.iter().enumerate().map(|(module, kind)| (format!("{kind}.rego"), text(kind, module))).collect()
}

fn text(kind: &str, module: usize) -> String {
    let mut text = format!(
        "package pi.{kind}\n\nagents := {{\"healer\", \"deployer\", \"auditor\"}}\n\nis_production if input.target == \"production\"\n\nis_night if input.time.hour < 6\n\nis_night if input.time.hour >= 22\n"
    );
    for rule in 0..RULES_EACH {
        text.push_str(&one(kind, module, rule));
    }
    text
}

fn one(kind: &str, module: usize, rule: usize) -> String {
    let id = format!("{kind}_{rule}");
    let number = module * 7 + rule;
    match rule {
        0 => format!(
            "\ndeny contains {{\n\t\"id\": \"{id}\",\n\t\"reason\": sprintf(\"%s of `%s` on production\", [effect.operation, effect.target]),\n\t\"advice\": \"ask the owner\",\n}} if {{\n\tis_production\n\tinput.agent in agents\n\tsome effect in input.effects\n\teffect.kind == \"{kind}\"\n\teffect.operation in {{\"drop\", \"destroy\", \"purge_{number}\"}}\n}}\n"
        ),
        1 => format!(
            "\nask contains {{\"id\": \"{id}\", \"reason\": \"a flag that forces\", \"advice\": \"leave `--force` out\"}} if {{\n\tinput.action.name == \"process_run\"\n\tsome word in input.action.argv\n\tword in {{\"--force\", \"--yes\", \"--force-{number}\"}}\n}}\n"
        ),
        2 => format!(
            "\nask contains {{\"id\": \"{id}\", \"reason\": sprintf(\"`%s` is a critical place\", [effect.target])}} if {{\n\tsome effect in input.effects\n\teffect.severity != \"read\"\n\tregex.match(`^(prod|live|main)-[a-z]+-{number}(/|$)`, effect.target)\n}}\n"
        ),
        3 => format!(
            "\nevidence contains {{\"id\": \"{id}\", \"reason\": \"a change at night\", \"points\": {}}} if {{\n\tis_night\n\tnot input.time.weekday in {{\"saturday\", \"sunday\"}}\n\tsome effect in input.effects\n\teffect.severity == \"destructive\"\n}}\n",
            number % 40
        ),
        _ => format!(
            "\ndeny contains {{\"id\": \"{id}\", \"reason\": \"below the protected folder\"}} if {{\n\tcontains(input.action.text, \"/srv/protected-{number}/\")\n\tnot startswith(input.action.directory, \"/srv/protected-{number}\")\n}}\n"
        ),
    }
}
