//! `pi-host plugin install|update|remove|verify`

use std::io::{BufRead, IsTerminal, Write};
use std::time::Duration;

use anyhow::Context;
use owo_colors::Style;
use serde_json::{Value, json};

use super::grant::coloured;
use crate::app::plugins::{
    Ask, Candidate, Edit, GrantWord, InstallError, Proposal, candidate, latest, newer, purge, removal, remove, restore,
    values, verify,
};
use crate::cli::output::table;
use crate::cli::{Failure, Output, block_on};
use crate::clock;
use crate::config::Project;
use crate::gate::explain::escaped;
use crate::registry::fetch::Progress;
use crate::registry::source::Source;

/// How often a line of progress is written anew.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// Inert imports that are named one by one.
const INERT_SHOWN_MAX: usize = 3;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pi-host plugin install ./weather.wasm
  pi-host plugin install https://example.com/weather.wasm --name sky
  pi-host plugin install oci://ghcr.io/acme/weather:1.2.0 --grant files.read=station
  pi-host plugin install                  fetch again what plugins.lock names

It shows what the component imports and asks for, and what would be granted, before anything is written.")]
pub(crate) struct InstallArguments {
    /// A path, https://..., or oci://registry/name:tag; without it, what plugins.lock names is fetched again
    source: Option<String>,
    /// Its name in this project; else what its manifest says
    #[arg(long, requires = "source")]
    name: Option<String>,
    #[command(flatten)]
    agreement: Agreement,
}

#[derive(clap::Args)]
pub(crate) struct Agreement {
    /// Agree to what is shown, without being asked; what is wide is not granted by it
    #[arg(long)]
    yes: bool,
    /// Grant this as well: CAPABILITY.KEY=VALUE[,VALUE]
    #[arg(long = "grant", value_name = "WORD")]
    grants: Vec<String>,
    /// Grant nothing of what the manifest suggests
    #[arg(long)]
    no_suggested: bool,
    /// Show what would happen, and do nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pi-host plugin update weather                 what its tag names now
  pi-host plugin update weather --to 1.3.0      another tag of the same registry
  pi-host plugin update weather --latest        the newest released version there
  pi-host plugin update --dry-run               what all of them would change")]
pub(crate) struct UpdateArguments {
    /// The plugin; without it, all that are installed
    name: Option<String>,
    /// The tag to take
    #[arg(long, requires = "name", conflicts_with = "latest")]
    to: Option<String>,
    /// Take the newest release of its registry
    #[arg(long)]
    latest: bool,
    #[command(flatten)]
    agreement: Agreement,
}

#[derive(clap::Args)]
pub(crate) struct RemoveArguments {
    /// The plugin
    name: String,
    /// Remove what it has kept in the store as well (`pi:keyvalue`)
    #[arg(long)]
    purge: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
pub(crate) struct VerifyArguments {
    /// The plugin; without it, all that are installed
    name: Option<String>,
}

pub(crate) fn install(output: &Output, project: &Project, arguments: &InstallArguments) -> Result<(), Failure> {
    let Some(source) = &arguments.source else { return restored(output, project) };
    let mut bar = Bar::new(output, source);
    let candidate = block_on(candidate(project, source, arguments.name.as_deref(), &mut |at| bar.show(at)))?;
    bar.end();
    agreed(output, project, &candidate?, &arguments.agreement)
}

pub(crate) fn update(output: &Output, project: &Project, arguments: &UpdateArguments) -> Result<(), Failure> {
    let names: Vec<String> = match &arguments.name {
        Some(name) => vec![name.clone()],
        None => verify(project, None)?.into_iter().map(|checked| checked.name).collect(),
    };
    if names.is_empty() {
        output.data(&json!([]), || "nothing is installed".to_owned());
        return Ok(());
    }
    for name in names {
        let to = block_on(wanted(project, &name, arguments))??;
        let mut bar = Bar::new(output, &name);
        let candidate = block_on(newer(project, &name, to.as_ref(), &mut |at| bar.show(at)))?;
        bar.end();
        let candidate = candidate?;
        if candidate.is_locked(project)? {
            output.data(&json!({ "name": name, "changed": false }), || format!("{} is up to date", escaped(&name)));
            continue;
        }
        agreed(output, project, &candidate, &arguments.agreement)?;
    }
    Ok(())
}

async fn wanted(project: &Project, name: &str, arguments: &UpdateArguments) -> Result<Option<Source>, anyhow::Error> {
    if arguments.latest {
        return Ok(latest(project, name).await?);
    }
    let Some(tag) = &arguments.to else { return Ok(None) };
    let config = project.config.plugins.get(name).and_then(|plugin| plugin.source.as_deref());
    match config.map(Source::parse).transpose()? {
        Some(Source::Oci(reference)) => Ok(Some(Source::Oci(reference.tagged(tag)?))),
        _ => anyhow::bail!(
            "`{name}` is not from a registry, so it has no tags\nhint: `pi-host plugin update {name}` takes what is there now"
        ),
    }
}

pub(crate) fn uninstall(output: &Output, project: &Project, arguments: &RemoveArguments) -> Result<(), Failure> {
    let name = &arguments.name;
    let kept = block_on(values(project, name))??;
    let edit = match removal(project, name) {
        Ok(edit) => Some(edit),
        // It was removed before, and its values were not.
        Err(InstallError::NotInstalled(_)) if arguments.purge && kept > 0 => None,
        Err(error) => return Err(error.into()),
    };
    let mut purged = 0;
    if !arguments.dry_run {
        // First, since it cannot be done where a host has the store: then nothing is removed.
        if arguments.purge && kept > 0 {
            purged = block_on(purge(project, name))??;
        }
        if let Some(edit) = &edit {
            remove(project, name, edit)?;
        }
    }
    let diff = edit.as_ref().map(Edit::diff).unwrap_or_default();
    let value = json!({
        "name": name, "removed": !arguments.dry_run, "diff": diff, "values": kept, "purged": purged,
    });
    output.data(&value, || {
        let end = match (arguments.dry_run, purged) {
            (true, _) => "nothing was changed (--dry-run)".to_owned(),
            (false, 0) => "removed".to_owned(),
            (false, purged) => format!("removed, and {purged} values that it had kept"),
        };
        format!("{}\n{end}", coloured(output, &diff)).trim_start().to_owned()
    });
    if kept > 0 && !arguments.purge {
        let name = escaped(name);
        output.note(&format!(
            "it has kept {kept} values in the store, which a plugin of the same name would find\nhint: `pi-host plugin remove {name} --purge` removes them"
        ));
    }
    Ok(())
}

pub(crate) fn check(output: &Output, project: &Project, arguments: &VerifyArguments) -> Result<(), Failure> {
    let checked = verify(project, arguments.name.as_deref())?;
    let is_good = checked.iter().all(|one| one.fault.is_none());
    output.data(&checked, || {
        let row = |one: &crate::app::plugins::Checked| {
            let state = match &one.fault {
                None => output.out("as locked", Style::new().green()),
                Some(_) => output.out("WRONG", Style::new().red().bold()),
            };
            let signature = one.signature.clone().unwrap_or_else(|| "not signed".into());
            vec![escaped(&one.name), one.digest.clone(), state, signature]
        };
        let mut text = table(&checked.iter().map(row).collect::<Vec<_>>());
        for one in &checked {
            if let Some(fault) = &one.fault {
                text.push_str(&format!("\n{}: {}", escaped(&one.name), crate::cli::output::escaped_lines(fault)));
            }
        }
        if checked.is_empty() { "nothing is installed".into() } else { text }
    });
    if is_good { Ok(()) } else { Err(Failure::Said) }
}

fn restored(output: &Output, project: &Project) -> Result<(), Failure> {
    let mut bars: std::collections::BTreeMap<String, Bar<'_>> = std::collections::BTreeMap::new();
    let restored = block_on(restore(project, &mut |name, at| {
        bars.entry(name.to_owned()).or_insert_with(|| Bar::new(output, name)).show(at);
    }))?;
    bars.values_mut().for_each(Bar::end);
    let restored = restored?;
    for warning in restored.iter().filter_map(|one| one.warning.as_ref()) {
        output.note(&output.err(&crate::cli::output::escaped_lines(warning), Style::new().yellow().bold()));
    }
    output.data(&json!({ "restored": restored }), || {
        if restored.is_empty() {
            "all that plugins.lock names is here".to_owned()
        } else {
            format!("fetched again: {}", restored.iter().map(|one| escaped(&one.name)).collect::<Vec<_>>().join(", "))
        }
    });
    Ok(())
}

/// Show what there is to agree to, ask, install.
fn agreed(output: &Output, project: &Project, candidate: &Candidate, agreement: &Agreement) -> Result<(), Failure> {
    let words = agreement.grants.iter().map(|word| GrantWord::parse(word)).collect::<Result<Vec<_>, _>>()?;
    let edit = candidate.edit(project, &words, !agreement.no_suggested && !candidate.is_known)?;
    candidate.check(project, &edit)?;
    let value = value(candidate, &edit);
    if agreement.dry_run {
        output.data(&value, || format!("{}\nnothing was changed (--dry-run)", text(output, candidate, &edit)));
        return Ok(());
    }
    if output.is_json {
        for warning in &candidate.warnings {
            output.note(&loud(output, warning));
        }
    } else {
        output.note(&text(output, candidate, &edit));
    }
    if !agreement.yes && !asked(output)? {
        output.note("nothing was installed");
        return Err(Failure::Said);
    }
    let progress = |text: &str| output.note(text);
    block_on(candidate.install(project, &edit, &progress))??;
    let mut value = value;
    if let Some(object) = value.as_object_mut() {
        object.insert("installed".into(), json!(true));
    }
    let name = escaped(&candidate.name);
    output.data(&value, || {
        let word = if candidate.before.is_some() { "updated" } else { "installed" };
        let tools: Vec<&str> = candidate.binary.manifest.tools.iter().map(|tool| tool.name.as_str()).collect();
        let next = match tools.first() {
            Some(tool) => format!("\nnext: pi-host tool call {tool} '{{...}}'"),
            None => String::new(),
        };
        format!("{name} {word}{next}")
    });
    let granted: Vec<String> = edit.config()?.grants.get(&candidate.name).map(granted).unwrap_or_default();
    for ask in candidate.proposal.withheld(&granted) {
        let capability = &ask.capability;
        output.note(&format!(
            "it cannot be used yet: it imports `{capability}`, which is not granted\nhint: pi-host plugin grant {name} {capability}{}",
            example(capability)
        ));
    }
    Ok(())
}

fn granted(grant: &crate::config::Grant) -> Vec<String> {
    toml::Table::try_from(grant).map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

/// How a grant of this capability begins.
fn example(capability: &str) -> &'static str {
    match capability {
        "files" | "preopens" => ".read=FOLDER",
        "process" => ".programs=PROGRAM",
        "http" => ".hosts=HOST",
        "services" => ".names=SERVICE services.actions=read",
        "cloud" => ".accounts=ACCOUNT cloud.operations=OPERATION",
        "sql" => ".databases=DATABASE",
        "tools" | "secrets" => ".names=NAME",
        _ => "",
    }
}

fn asked(output: &Output) -> Result<bool, Failure> {
    if output.is_json || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(anyhow::anyhow!(
            "nobody is there to agree\nhint: read what is shown with --dry-run, then say --yes"
        )
        .into());
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "Install it like this? [y/N] ").and_then(|()| stderr.flush()).context("the terminal is gone")?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("the terminal is gone")?;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// What is not to be overlooked.
fn loud(output: &Output, warning: &str) -> String {
    output.err(&format!("WARNING: {}", crate::cli::output::escaped_lines(warning)), Style::new().red().bold())
}

fn value(candidate: &Candidate, edit: &Edit) -> Value {
    json!({
        "name": candidate.name, "source": candidate.source.to_string(), "digest": candidate.fetched.digest.to_string(),
        "bytes": candidate.fetched.bytes.len(), "signature": candidate.standing.words(),
        "warning": candidate.standing.warning, "warnings": candidate.warnings, "proposal": candidate.proposal, "changes": candidate.changes(),
        "diff": edit.diff(), "installed": false,
    })
}

fn text(output: &Output, candidate: &Candidate, edit: &Edit) -> String {
    let Proposal { version, kind, description, asks, inert, tools, .. } = &candidate.proposal;
    let bold = |text: &str| output.err(text, Style::new().bold());
    let kind = format!("{kind:?}").to_lowercase();
    let mut text = format!(
        "{} {} ({kind}), {} KiB\n  from {}\n  {}\n  {}\n",
        bold(&escaped(&candidate.name)),
        escaped(version),
        candidate.fetched.bytes.len() >> 10,
        escaped(&candidate.source.to_string()),
        candidate.fetched.digest,
        if candidate.standing.warning.is_some() { String::new() } else { candidate.standing.words() },
    );
    let text_end = text.trim_end().len();
    text.truncate(text_end);
    text.push('\n');
    if let Some(warning) = &candidate.standing.warning {
        text.push_str(&format!(
            "{}\n",
            output.err(&crate::cli::output::escaped_lines(warning), Style::new().yellow().bold())
        ));
    }
    for warning in &candidate.warnings {
        text.push_str(&format!("{}\n", loud(output, warning)));
    }
    if !description.is_empty() {
        text.push_str(&format!("  it says of itself: {}\n", escaped(description)));
    }
    if let Some(changes) = candidate.changes() {
        text.push_str(&format!("\n{}\n", bold("What changes")));
        if changes.is_empty() {
            text.push_str("  neither what it asks for nor its tools\n");
        }
        changes.iter().for_each(|line| text.push_str(&format!("  {}\n", escaped(line))));
    }
    text.push_str(&format!("\n{}\n", bold("What it asks for")));
    if asks.is_empty() {
        text.push_str("  nothing: it computes, and reaches nothing\n");
    }
    for ask in asks {
        // An update grants nothing in passing: what it asks for anew is granted by words of one's own.
        let is_granted = !candidate.is_known && candidate.proposal.grants().any(|(name, _)| name == ask.capability);
        text.push_str(&asking(output, ask, is_granted));
    }
    if !inert.is_empty() {
        let shown: Vec<String> = inert.iter().take(INERT_SHOWN_MAX).map(|name| escaped(name)).collect();
        let rest = inert.len().saturating_sub(shown.len());
        let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        text.push_str(&format!("  with nothing behind them: {}{more}\n", shown.join(", ")));
    }
    if !tools.is_empty() {
        text.push_str(&format!("\n{}\n", bold("Its tools")));
        for tool in tools {
            let effect = format!("{:?}", tool.effect).to_lowercase();
            text.push_str(&format!("  {} ({effect}): {}\n", escaped(&tool.name), escaped(&tool.description)));
        }
    }
    let diff = edit.diff();
    if !diff.is_empty() {
        text.push_str(&format!("\n{}\n{}\n", bold("What changes in pi.toml"), coloured(output, &diff)));
    }
    text
}

fn asking(output: &Output, ask: &Ask, is_granted_by_agreeing: bool) -> String {
    let mut text = format!("  {}: {}\n", output.err(&ask.capability, Style::new().cyan().bold()), escaped(&ask.why));
    if !ask.is_usable() {
        text.push_str("      declared, and not imported\n");
    } else if !ask.imports.is_empty() {
        text.push_str(&format!(
            "      imports {}\n",
            ask.imports.iter().map(|name| escaped(name)).collect::<Vec<_>>().join(", ")
        ));
    }
    let words = |grant: &toml::Table| {
        let keys: Vec<String> = grant.iter().map(|(key, value)| escaped(&format!("{key} = {value}"))).collect();
        if keys.is_empty() { "granted as a whole".to_owned() } else { keys.join(", ") }
    };
    let wide = output.err("WIDE", Style::new().red().bold());
    let line = match (&ask.granted, &ask.suggested, &ask.wide) {
        (Some(granted), _, None) => format!("pi.toml grants already, and nothing is added: {}", words(granted)),
        (Some(granted), _, Some(why)) => {
            format!("{wide}: pi.toml grants already, and nothing is added: {}\n      {}", words(granted), escaped(why))
        }
        (None, Some(grant), Some(why)) => {
            format!("{wide}, so not granted by agreeing: {}\n      {}", words(grant), escaped(why))
        }
        (None, Some(grant), None) if !is_granted_by_agreeing => {
            format!("not granted by agreeing; it suggests: {}", words(grant))
        }
        (None, Some(grant), None) => format!("would be granted: {}", words(grant)),
        (None, None, _) => "nothing is suggested: grant it yourself, with --grant or `plugin grant`".to_owned(),
    };
    text.push_str(&format!("      {line}\n"));
    text
}

/// A line that shows how far a download is; at a terminal alone.
struct Bar<'a> {
    output: &'a Output,
    what: String,
    shown: Option<clock::Instant>,
}

impl<'a> Bar<'a> {
    fn new(output: &'a Output, what: &str) -> Self {
        Self { output, what: escaped(what), shown: None }
    }

    fn show(&mut self, at: Progress) {
        let is_due = self.shown.is_none_or(|shown| shown.elapsed() >= PROGRESS_EVERY);
        if !is_due || self.output.is_json || !std::io::stderr().is_terminal() {
            return;
        }
        self.shown = Some(clock::monotonic());
        let total = at.total.map(|total| format!(" of {} KiB", total >> 10)).unwrap_or_default();
        let mut stderr = std::io::stderr();
        let _ = write!(stderr, "\r\u{1b}[Kfetching {}: {} KiB{total}", self.what, at.bytes >> 10);
        let _ = stderr.flush();
    }

    fn end(&mut self) {
        if self.shown.take().is_some() {
            let mut stderr = std::io::stderr();
            let _ = write!(stderr, "\r\u{1b}[K");
            let _ = stderr.flush();
        }
    }
}
