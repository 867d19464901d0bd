//! The ways of `[delivery.*]` made ready, what is posted by them, and the sending of what is due.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;

use super::reports::{ReportRecord, report};
use crate::clock;
use crate::config::{Config, DeliverWhen, DeliveryConfig, EmailDelivery, Project, read_private, variable};
use crate::delivery::email::{Email, EmailSettings};
use crate::delivery::files::Files;
use crate::delivery::outbox::{Content, Letter, LetterState, keep, letters, posting, sweep};
use crate::delivery::slack::Slack;
use crate::delivery::webhook::Webhook;
use crate::delivery::{Claim, Parcel, Picture, Route, Sheet};
use crate::gate::explain::escaped;
use crate::outbound::{ChannelError, Patience, Secret};
use crate::store::{Lease, Store, StoreError};

/// Longest password. Danger: a device in its place.
const PASSWORD_BYTES_MAX: u64 = 4_096;
/// Most of a file of authorities. Danger: as above.
const AUTHORITY_BYTES_MAX: u64 = 1 << 20;
/// Pictures of one report that are sent. Danger: a message that nobody takes.
const PICTURES_MAX: usize = 24;
const PICTURE_BYTES_MAX: u64 = 8 << 20;

#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error("[delivery.{name}] {key}: {what}\nhint: {hint}")]
    Setting { name: String, key: &'static str, what: String, hint: String },
    #[error("[delivery.{name}]: {source}")]
    Route { name: String, source: ChannelError },
}

/// The ways of a project.
pub type Routes = BTreeMap<String, Arc<dyn Route>>;

/// Make the ways ready; nothing is sent.
///
/// # Errors
/// A way cannot work as it is set up.
pub fn routes(project: &Project) -> Result<Routes, DeliveryError> {
    let made = project.config.delivery.iter().map(|(name, config)| Ok((name.clone(), route(project, name, config)?)));
    made.collect()
}

fn route(project: &Project, name: &str, config: &DeliveryConfig) -> Result<Arc<dyn Route>, DeliveryError> {
    let failed = |source| DeliveryError::Route { name: name.to_owned(), source };
    let patience = Patience::default;
    if let Some(files) = &config.files {
        return Ok(Arc::new(Files::new(project.directory.join(&files.folder))));
    }
    if let Some(slack) = &config.slack {
        let token = secret(name, "slack", &slack.bot_token_env)?;
        return Ok(Arc::new(Slack::new(&slack.channel, token, &slack.api_url, patience()).map_err(failed)?));
    }
    if let Some(webhook) = &config.webhook {
        let secret = secret(name, "webhook", &webhook.secret_env)?;
        let made = Webhook::new(&webhook.url, secret, patience(), Arc::new(clock::now_ms));
        return Ok(Arc::new(made.map_err(failed)?));
    }
    let email = config.email.clone().unwrap_or_default();
    Ok(Arc::new(Email::new(email_settings(&project.directory, name, email)?).map_err(failed)?))
}

fn email_settings(directory: &Path, name: &str, email: EmailDelivery) -> Result<EmailSettings, DeliveryError> {
    let wrong = |key, (what, hint)| DeliveryError::Setting { name: name.to_owned(), key, what, hint };
    let password = match (&email.password_env, &email.password_file) {
        (Some(variable), _) => secret(name, "email", variable)?,
        (None, Some(file)) => {
            let text = read_private(&directory.join(file), PASSWORD_BYTES_MAX);
            Secret::new(text.map_err(|error| wrong("email", error))?.trim_end_matches(['\r', '\n']))
        }
        (None, None) => Secret::default(),
    };
    let authority = email.ca_file.as_ref().map(|file| {
        let path = directory.join(file);
        let shown = escaped(&path.display().to_string());
        let size = std::fs::metadata(&path).map(|metadata| metadata.len());
        match size.and_then(|size| if size > AUTHORITY_BYTES_MAX { Ok(Vec::new()) } else { std::fs::read(&path) }) {
            Ok(bytes) if !bytes.is_empty() => Ok(bytes),
            Ok(_) => Err(wrong("email", (format!("`{shown}` holds no certificates"), "correct `ca_file`".into()))),
            Err(error) => Err(wrong("email", (format!("`{shown}`: {error}"), "correct `ca_file`".into()))),
        }
    });
    Ok(EmailSettings {
        login: email.user.map(|user| (user, password)),
        authority: authority.transpose()?,
        server: email.server,
        from: email.from,
        to: email.to,
    })
}

fn secret(name: &str, key: &'static str, from: &str) -> Result<Secret, DeliveryError> {
    let unset = || DeliveryError::Setting {
        name: name.to_owned(),
        key,
        what: format!("the environment variable {} is not set", escaped(from)),
        hint: "set it where pi-host is started, or name another in pi.toml".into(),
    };
    variable(from).map(Secret::new).ok_or_else(unset)
}

/// The values of the environment and of files by which the ways log in, for the journal to hide.
pub fn secret_values(project: &Project) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, config) in &project.config.delivery {
        let email = config.email.as_ref();
        let names = [
            config.slack.as_ref().map(|slack| &slack.bot_token_env),
            config.webhook.as_ref().map(|webhook| &webhook.secret_env),
            email.and_then(|email| email.password_env.as_ref()),
        ];
        for from in names.into_iter().flatten() {
            found.extend(variable(from).map(|value| (from.clone(), value)));
        }
        let file = email.and_then(|email| email.password_file.as_ref());
        let text = file.and_then(|file| read_private(&project.directory.join(file), PASSWORD_BYTES_MAX).ok());
        found.extend(text.map(|text| (format!("delivery.{name}"), text.trim_end_matches(['\r', '\n']).to_owned())));
    }
    found
}

/// The changes by which a report of a job is posted: to each of its deliveries that wants it.
///
/// # Errors
/// The store cannot be read.
pub async fn posted(
    store: &dyn Store,
    config: &Config,
    record: &ReportRecord,
    is_urgent: bool,
) -> Result<Vec<(String, Option<serde_json::Value>)>, StoreError> {
    let mut changes = Vec::new();
    for (name, delivery) in deliveries(config, &record.job) {
        if !(record.is_noteworthy || is_urgent || delivery.when == DeliverWhen::Always) {
            continue;
        }
        let content = Content::Reports(vec![record.id.clone()]);
        changes.extend(posting(store, addressed(name, delivery, &record.id, content)).await?);
    }
    Ok(changes)
}

/// The changes by which people are told that a job has failed and made no report.
///
/// # Errors
/// The store cannot be read.
pub async fn posted_failure(
    store: &dyn Store,
    config: &Config,
    job: &str,
    slot: &str,
    why: &str,
) -> Result<Vec<(String, Option<serde_json::Value>)>, StoreError> {
    let mut changes = Vec::new();
    for (name, _) in deliveries(config, job) {
        let content = Content::Note { title: format!("{job} has failed"), text: why.to_owned() };
        let now_ms = clock::now_ms();
        changes.extend(posting(store, Letter::new(name, &format!("{job}-{slot}"), content, now_ms, now_ms)).await?);
    }
    Ok(changes)
}

fn deliveries<'a>(config: &'a Config, job: &str) -> Vec<(&'a String, &'a DeliveryConfig)> {
    let names = config.heartbeat.get(job).into_iter().flat_map(|job| &job.deliver);
    names.filter_map(|name| config.delivery.get_key_value(name)).collect()
}

fn addressed(name: &str, delivery: &DeliveryConfig, report: &str, content: Content) -> Letter {
    let now_ms = clock::now_ms();
    let next = || {
        let job = delivery.digest(name)?.ok()?;
        let now = Timestamp::from_millisecond(i64::try_from(now_ms).ok()?).ok()?;
        u64::try_from(job.schedule().next(now)?.as_millisecond()).ok()
    };
    match next() {
        Some(due_ms) => Letter::new(name, &format!("digest-{due_ms}"), content, now_ms, due_ms),
        None => Letter::new(name, report, content, now_ms, now_ms),
    }
}

/// Whether a delivery of this job shows bitmaps alone.
#[must_use]
pub fn wants_bitmaps(routes: &Routes, deliver: &[String]) -> bool {
    deliver.iter().any(|name| routes.get(name).is_some_and(|route| route.wants_bitmaps()))
}

/// What became of a letter.
pub struct Sent {
    pub letter: Letter,
    /// In words.
    pub target: String,
}

/// Send what is due, the ways side by side; tells of each letter what came of it. Returns when the next one is due.
///
/// # Errors
/// The store cannot be read or written.
pub async fn send_due(
    store: &Arc<dyn Store>,
    lease: &Lease,
    config: &Config,
    routes: &Routes,
    tell: &(dyn Fn(Sent) + Sync),
) -> Result<Option<u64>, StoreError> {
    let all = letters(store.as_ref()).await?;
    let now_ms = clock::now_ms();
    sweep(store.as_ref(), lease, &all, now_ms).await?;
    let mut due: BTreeMap<&str, Vec<&Letter>> = BTreeMap::new();
    for letter in all.values().filter(|letter| letter.is_due(now_ms)) {
        due.entry(&letter.delivery).or_default().push(letter);
    }
    let ways = due.into_values().map(|letters| async move {
        for letter in letters {
            send(store, lease, config, routes, letter, tell).await?;
        }
        Ok(())
    });
    join_all(ways).await.into_iter().collect::<Result<(), StoreError>>()?;
    let waiting = letters(store.as_ref()).await?;
    Ok(waiting.values().filter(|letter| letter.state == LetterState::Waiting).map(|letter| letter.due_ms).min())
}

async fn send(
    store: &Arc<dyn Store>,
    lease: &Lease,
    config: &Config,
    routes: &Routes,
    letter: &Letter,
    tell: &(dyn Fn(Sent) + Sync),
) -> Result<(), StoreError> {
    let tried = letter.tried(clock::now_ms());
    keep(store.as_ref(), lease, &tried).await?;
    let (target, sent) = match routes.get(&letter.delivery) {
        Some(route) => {
            let parcel = parcel(store, letter).await?;
            (route.target(), route.send(&parcel).await)
        }
        None => {
            let place = format!("[delivery.{}]", letter.delivery);
            let hint = "add it again, or leave the letter where it is".to_owned();
            (place.clone(), Err(ChannelError::Config { place, what: "it is not in pi.toml any more".into(), hint }))
        }
    };
    let give_up_hours = config.delivery.get(&letter.delivery).map_or(1, |delivery| delivery.give_up_hours);
    let letter = tried.settled(&sent, clock::now_ms(), give_up_hours);
    keep(store.as_ref(), lease, &letter).await?;
    tell(Sent { letter, target });
    Ok(())
}

/// What a letter brings, with what is still there of it.
async fn parcel(store: &Arc<dyn Store>, letter: &Letter) -> Result<Parcel, StoreError> {
    let sender = format!("pi-host on {}", escaped(&rustix::system::uname().nodename().to_string_lossy()));
    let mut sheets = Vec::new();
    match &letter.content {
        Content::Note { title, text } => {
            let sheet = Sheet {
                title: title.clone(),
                summary: text.clone(),
                created_ms: letter.created_ms,
                ..Sheet::default()
            };
            sheets.push(sheet);
        }
        Content::Reports(ids) => {
            for id in ids {
                sheets.push(match report(store, id).await {
                    Ok(record) => sheet(&record),
                    Err(super::reports::ReportsError::Store(error)) => return Err(error),
                    Err(gone) => Sheet { title: id.clone(), summary: gone.to_string(), ..Sheet::default() },
                });
            }
        }
    }
    let title = match sheets.as_slice() {
        [one] => one.title.clone(),
        all => format!("{} reports", all.len()),
    };
    Ok(Parcel { key: letter.key(), sender, title, sheets })
}

/// A report with its files. What cannot be read of them is left out: the claims stand in the index.
fn sheet(record: &ReportRecord) -> Sheet {
    let folder = record.path.parent().unwrap_or(Path::new(""));
    let markdown = std::fs::read_to_string(&record.path).unwrap_or_default();
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
        .unwrap_or_default();
    names.sort();
    let pictures = names.iter().filter_map(|path| {
        let mime = match path.extension()?.to_str()? {
            "svg" => "image/svg+xml",
            "png" => "image/png",
            _ => return None,
        };
        let name = path.file_name()?.to_str()?.to_owned();
        let is_small = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() <= PICTURE_BYTES_MAX);
        let bytes = if is_small { std::fs::read(path).ok()? } else { return None };
        let alternative = alternative(&markdown, &name);
        Some(Picture { name, mime, bytes, alternative })
    });
    let claim = |finding: &crate::report::DocumentFinding| Claim {
        severity: finding.severity.clone(),
        text: finding.claim.clone(),
    };
    Sheet {
        report: record.id.clone(),
        topic: record.topic.clone(),
        title: record.title.clone(),
        summary: record.summary.clone(),
        created_ms: record.created_ms,
        claims: record.findings.iter().map(claim).collect(),
        page: std::fs::read(record.path.with_extension("html")).unwrap_or_default(),
        pictures: pictures.take(PICTURES_MAX).collect(),
        markdown,
    }
}

/// The words with which the text shows a picture; those of the drawing are the bitmap's too.
fn alternative(markdown: &str, name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let found = markdown.lines().find_map(|line| {
        let (alternative, target) = line.strip_prefix("![")?.rsplit_once("](")?;
        target.strip_prefix(stem)?.starts_with('.').then(|| alternative.to_owned())
    });
    found.unwrap_or_else(|| stem.to_owned())
}
