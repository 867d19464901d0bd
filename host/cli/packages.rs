//! `pi-host packages check|sync|compare`

use std::cmp::Ordering;
use std::io::{BufRead, Write};
use std::path::Path;

use anyhow::Context;
use owo_colors::Style;
use serde_json::json;

use super::output::table;
use super::{Failure, Output, block_on};
use crate::app::packages::{PackagesError, archives, audit, scan, store};
use crate::config::Project;
use crate::gate::Gate;
use crate::gate::explain::escaped;
use crate::packages::Package;
use crate::packages::advisory::{Level, Report, Source, Status};
use crate::packages::audit::{Audit, Audited};
use crate::packages::ecosystem::{self, Ecosystem};
use crate::packages::offline::Progress;
use crate::packages::scanner::ScanError;
use crate::packages::version::compare;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Say what is known about packages: named ones, those of a lock file, or those that a command would install
    #[command(
        after_help = "Examples:\n  pi-host packages check npm:left-pad@1.3.0 PyPI:requests\n  pi-host packages check requirements.txt\n  pi-host packages check -- pip install requests==2.19.0\n\nThe exit code is 1 where anything was found, or could not be found out."
    )]
    Check {
        /// Packages as ECOSYSTEM:NAME or ECOSYSTEM:NAME@VERSION, requirement and lock files, or folders (for osv-scanner)
        what: Vec<String>,
        /// A command that would install packages
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Fetch what OSV publishes about ecosystems, to be asked without the network
    #[command(after_help = "Example:\n  pi-host packages sync npm PyPI")]
    Sync {
        /// The ecosystems, as OSV names them; without any, those that were fetched before
        ecosystems: Vec<String>,
    },
    /// Say which of two versions is the newer one
    #[command(
        after_help = "Without arguments, a JSON object {\"ecosystem\", \"a\", \"b\"} a line is read from standard input, and {\"order\": -1 | 0 | 1} answered a line.\n\nExample:\n  pi-host packages compare npm 1.9.0 1.10.0"
    )]
    Compare {
        /// The ecosystem whose rules count: npm, PyPI, Debian:12, ...; `semver` for Semantic Versioning itself
        #[arg(requires = "a")]
        ecosystem: Option<String>,
        /// The first version
        #[arg(requires = "b")]
        a: Option<String>,
        /// The version that it is compared with
        b: Option<String>,
    },
}

pub(crate) fn run(output: &Output, directory: &Path, command: Command) -> Result<(), Failure> {
    match command {
        Command::Compare { ecosystem: Some(ecosystem), a: Some(a), b: Some(b) } => {
            compare_one(output, &ecosystem, &a, &b)
        }
        Command::Compare { .. } => compare_lines(),
        Command::Check { what, command } => block_on(check(output, &Project::load(directory)?, &what, &command))?,
        Command::Sync { ecosystems } => block_on(sync(output, &Project::load(directory)?, &ecosystems))?,
    }
}

fn order(ecosystem: &str, a: &str, b: &str) -> Result<i8, anyhow::Error> {
    Ok(match compare(ecosystem, a, b)? {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    })
}

fn compare_one(output: &Output, ecosystem: &str, a: &str, b: &str) -> Result<(), Failure> {
    let order = order(ecosystem, a, b)?;
    output.data(&json!({ "order": order }), || {
        let sign = match order {
            -1 => "<",
            0 => "=",
            _ => ">",
        };
        format!("{} {sign} {}", escaped(a), escaped(b))
    });
    Ok(())
}

#[derive(serde::Deserialize)]
struct Pair {
    ecosystem: String,
    a: String,
    b: String,
}

/// Answer each line of standard input with a line, what cannot be compared with `{"error"}`.
fn compare_lines() -> Result<(), Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for text in std::io::stdin().lock().split(b'\n') {
        let text = text.context("standard input cannot be read")?;
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let compared = serde_json::from_slice::<Pair>(&text)
            .context("the line is no {\"ecosystem\", \"a\", \"b\"}")
            .and_then(|Pair { ecosystem, a, b }| order(&ecosystem, &a, &b));
        let line = match compared {
            Ok(order) => json!({ "order": order }),
            Err(error) => json!({ "error": format!("{error:#}") }),
        };
        match writeln!(out, "{line}") {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            written => written.context("standard output cannot be written")?,
        }
    }
    out.flush().context("standard output cannot be written")?;
    Ok(())
}

async fn check(output: &Output, project: &Project, what: &[String], command: &[String]) -> Result<(), Failure> {
    if what.is_empty() && command.is_empty() {
        return Err(anyhow::anyhow!(
            "there is nothing to check\nhint: name packages (npm:left-pad@1.3.0), files (requirements.txt), or a command behind `--`"
        )
        .into());
    }
    let audit = audit(project)?;
    let mut all = Audited::default();
    let mut packages = Vec::new();
    let mut clean_folders = Vec::new();
    for item in what {
        let path = Path::new(item);
        if path.is_dir() {
            match scan(path).await {
                Ok(Some(reports)) if reports.is_empty() => clean_folders.push(item.as_str()),
                Ok(Some(reports)) => all.reports.extend(reports),
                Ok(None) => all.unknown.push(format!("`{item}` is a folder, and osv-scanner is not installed")),
                Err(error) => all.unknown.push(format!("`{item}`: {error}")),
            }
        } else if path.exists() {
            add(&mut all, audit.audit_file(path).await);
            // It may see what is not read here; without it, what is read here is what there is.
            match scan(path).await {
                Ok(reports) => all.reports.extend(reports.into_iter().flatten()),
                // What it does not read was read here.
                Err(PackagesError::Scan(ScanError::NoPackages)) => {}
                Err(error) => all.unknown.push(error.to_string()),
            }
        } else {
            packages.push(package(item)?);
        }
    }
    all.reports.extend(audit.lookup().check(&packages).await);
    if !command.is_empty() {
        add(&mut all, of_command(&audit, project, command).await?);
    }
    let is_clean = all.unknown.is_empty() && all.foreign.is_empty() && all.reports.iter().all(Report::is_clean);
    output.data(&json!({ "reports": all.reports, "foreign": all.foreign, "unknown": all.unknown }), || {
        let clean = output.out("clean", Style::new().green());
        let folders = clean_folders.iter().map(|folder| format!("{clean:<9} {} by osv-scanner", escaped(folder)));
        let lines: Vec<String> = folders.chain(text(output, &all)).collect();
        match (lines.is_empty(), command.is_empty()) {
            (false, _) => lines.join("\n"),
            (true, false) => "nothing would be installed".to_owned(),
            (true, true) => "there is no package to look up".to_owned(),
        }
    });
    if is_clean { Ok(()) } else { Err(Failure::Said) }
}

fn add(all: &mut Audited, more: Audited) {
    all.reports.extend(more.reports);
    all.foreign.extend(more.foreign);
    all.unknown.extend(more.unknown);
}

async fn of_command(audit: &Audit, project: &Project, command: &[String]) -> Result<Audited, Failure> {
    let directory = project.directory.display().to_string();
    let text = match command {
        [script] => script.clone(),
        argv => argv.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect::<Vec<_>>().join(" "),
    };
    let plans = Gate::builtin().judge(&text, &directory).installs;
    if plans.is_empty() {
        return Err(anyhow::anyhow!("this command installs nothing that is known here: {}", escaped(&text)).into());
    }
    Ok(audit.audit(&plans, &project.directory).await)
}

/// `npm:left-pad@1.3.0`, `PyPI:requests`, `Debian:12:openssl@3.0`.
fn package(text: &str) -> Result<Package, anyhow::Error> {
    let hint = "name it ECOSYSTEM:NAME or ECOSYSTEM:NAME@VERSION: npm:left-pad@1.3.0";
    // An npm name may begin with `@`: that one is no version's.
    let (name, version) = match text.rfind('@').filter(|at| *at > 0 && text.as_bytes().get(at - 1) != Some(&b':')) {
        Some(at) => (&text[..at], Some(text[at + 1..].to_owned())),
        None => (text, None),
    };
    let (ecosystem, name) = name
        .split_once(':')
        .ok_or_else(|| anyhow::anyhow!("there is no file `{0}`, and it is no package\nhint: {hint}", escaped(text)))?;
    let known = Ecosystem::parse(ecosystem)?;
    // `Debian:12:openssl`: a release stands in between, where the ecosystem has any. Other names have colons.
    match name.rsplit_once(':').filter(|_| known.has_releases()) {
        Some((release, name)) => {
            let ecosystem = Ecosystem::parse(&format!("{ecosystem}:{release}"))?;
            Ok(Package { ecosystem, name: name.to_owned(), version })
        }
        None => Ok(Package { ecosystem: known, name: name.to_owned(), version }),
    }
}

fn text(output: &Output, all: &Audited) -> Vec<String> {
    let mut lines = Vec::new();
    for report in &all.reports {
        let version = report.package.version.as_deref().map(|version| format!("@{version}")).unwrap_or_default();
        let name = format!("{}:{}{version}", report.package.ecosystem, report.package.name);
        let (word, style, detail) = match (&report.status, report.level()) {
            (_, Some(Level::Malicious)) => ("malicious", Style::new().red().bold(), String::new()),
            (_, Some(_)) => ("affected", Style::new().red(), String::new()),
            (Status::Unknown { reason }, None) => ("unknown", Style::new().yellow(), format!(": {reason}")),
            (Status::Checked { source }, None) => ("clean", Style::new().green(), by(source)),
        };
        lines.push(format!("{:<9} {}{}", output.out(word, style), escaped(&name), escaped(&detail)));
        for advisory in &report.findings {
            let score = advisory.severity.map(|score| format!(" {score:.1}")).unwrap_or_default();
            let fixed = advisory.fixed.as_deref().map(|fixed| format!("; fixed in {fixed}")).unwrap_or_default();
            let level = format!("{:?}", advisory.level).to_lowercase();
            let text = format!("{} {level}{score}: {}{fixed}  {}", advisory.id, advisory.summary, advisory.url);
            lines.push(format!("          {}", escaped(&text)));
        }
        if let (Status::Unknown { reason }, false) = (&report.status, report.findings.is_empty()) {
            lines.push(format!("          not all is known: {}", escaped(reason)));
        }
    }
    lines.extend(all.foreign.iter().map(|what| format!("{:<9} {}", "foreign", escaped(what))));
    lines.extend(all.unknown.iter().map(|what| format!("{:<9} {}", "unknown", escaped(what))));
    lines
}

fn by(source: &Source) -> String {
    match source {
        Source::Store { .. } => " by the offline store".to_owned(),
        Source::Api { url } => format!(" by {url}"),
        Source::Scanner => " by osv-scanner".to_owned(),
    }
}

async fn sync(output: &Output, project: &Project, names: &[String]) -> Result<(), Failure> {
    let (store, archives) = (store(project)?, archives(project)?);
    let mut wanted = names.iter().map(|name| Ecosystem::parse(name)).collect::<Result<Vec<_>, _>>()?;
    if wanted.is_empty() {
        for name in ecosystem::names() {
            let known = Ecosystem::parse(name)?;
            if store.about(&known).await.is_ok_and(|about| about.is_some()) {
                wanted.push(known);
            }
        }
    }
    if wanted.is_empty() {
        return Err(anyhow::anyhow!(
            "nothing was fetched before\nhint: name ecosystems: `pi-host packages sync npm PyPI`; known are: {}",
            ecosystem::names().join(", ")
        )
        .into());
    }
    let (mut done, mut rows, mut failed) = (Vec::new(), Vec::new(), false);
    for ecosystem in wanted {
        let last = std::sync::atomic::AtomicU64::new(0);
        let progress = |progress: Progress| {
            let (step, text) = match progress {
                Progress::Download { bytes, bytes_total } => {
                    let total = bytes_total.map(|total| format!(" of {} MB", total >> 20)).unwrap_or_default();
                    (bytes >> 24, format!("{}: {} MB{total}", ecosystem.name(), bytes >> 20))
                }
                Progress::Index { records } => (records / 20_000, format!("{}: {records} records", ecosystem.name())),
            };
            // A line now and then, not one for each piece.
            if step != last.swap(step, std::sync::atomic::Ordering::Relaxed) {
                output.note(&output.err(&text, Style::new().dimmed()));
            }
        };
        match store.sync(&archives, &ecosystem, &progress).await {
            Ok(synced) => {
                let state = if synced.is_unchanged { "unchanged" } else { "fetched" };
                rows.push(vec![ecosystem.name().to_owned(), state.to_owned(), format!("{} MB", synced.bytes >> 20)]);
                done.push(json!({ "ecosystem": ecosystem.name(), "synced": synced }));
            }
            Err(error) => {
                failed = true;
                rows.push(vec![ecosystem.name().to_owned(), "failed".to_owned(), escaped(&error.to_string())]);
                done.push(json!({ "ecosystem": ecosystem.name(), "error": error.to_string() }));
            }
        }
    }
    output.data(&done, || table(&rows));
    if failed { Err(Failure::Said) } else { Ok(()) }
}
