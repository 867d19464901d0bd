//! `[triggers]`: where webhooks arrive, their secrets, and the one intake that all alarms from outside go through.
//!
//! Made after everything else of a host has been checked, and before it serves: a listener that cannot be had is an
//! error at start, and not an alarm that is missed later.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;

use super::setup::Progress;
use crate::approval::channel::serve;
use crate::capability::cloud::accounts::Accounts;
use crate::clock;
use crate::clock::Duration;
use crate::config::{CloudTarget, Project, TriggerConfig, TriggerKind, TriggersConfig, read_private, variable};
use crate::gate::explain::escaped;
use crate::journal::Journal;
use crate::outbound::Secret;
use crate::store::{Store, StoreError};
use crate::watch::alarms::{Settings, SettingsError, Wake};
use crate::watch::cloudwatch::CloudWatchAlarms;
use crate::watch::hooks::{HookError, HookSettings, router};
use crate::watch::intake::{Intake, Told, Trigger, intake};
use crate::watch::poll::{AlarmSource, PollSettings, poll};

/// Longest secret in a file.
const SECRET_BYTES_MAX: u64 = 4 << 10;

#[derive(Debug, thiserror::Error)]
pub enum TriggersError {
    #[error(
        "[triggers] listen: `{address}` cannot be listened at: {error}\nhint: another program may have the port; choose another one in pi.toml"
    )]
    Listen { address: String, error: std::io::Error },
    #[error(
        "[triggers.{name}] {key}: the environment variable `{variable}` is not set\nhint: export it where the host is started, or write `{file_key}` with a file of mode 0600"
    )]
    Variable { name: String, key: &'static str, variable: String, file_key: &'static str },
    #[error("[triggers.{name}] {key}: {what}\nhint: {hint}")]
    File { name: String, key: &'static str, what: String, hint: String },
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Hook(#[from] HookError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What takes alarms from outside. Dropped, it takes none.
pub(super) struct Triggers {
    pub(super) intake: Intake,
    /// Taken by who wakes.
    wakes: Mutex<Option<mpsc::UnboundedReceiver<Wake>>>,
    told: Mutex<Option<broadcast::Receiver<Told>>>,
    tasks: Mutex<JoinSet<()>>,
}

/// Make ready what `[triggers]` names, for the agents that run here.
///
/// # Errors
/// What is wrong, and where.
pub(super) async fn triggers<'a>(
    project: &Project,
    store: &Arc<dyn Store>,
    journal: &Journal,
    accounts: &Accounts,
    is_run: impl Fn(&str) -> bool + 'a,
    progress: Progress<'_>,
) -> Result<Option<Triggers>, TriggersError> {
    let Some(config) = &project.config.triggers else { return Ok(None) };
    let settings = Settings::of(&project.config)?;
    let (mut hooks, mut asked) = (Vec::new(), Vec::new());
    for (name, hook) in &config.hooks {
        if is_run(&hook.agent) && hook.kind == TriggerKind::CloudWatch {
            asked.extend(cloudwatch(project, accounts, name, hook));
        } else if is_run(&hook.agent) {
            let mut hook = hook.clone();
            called_as_services(&mut hook.names, project, |_| true);
            hooks.push(hook_settings(&project.directory, config, name, &hook)?);
        } else {
            progress(&format!("trigger `{name}` takes nothing: its agent `{}` is not run", hook.agent));
        }
    }
    let clock = Arc::new(clock::now_ms);
    let (intake, desk, wakes) = intake(store.clone(), journal.lease().clone(), settings, clock.clone()).await?;
    let told = intake.told();
    let mut tasks = JoinSet::new();
    if !hooks.is_empty() {
        let names: Vec<String> = hooks.iter().map(|hook| format!("/hooks/{}", hook.name)).collect();
        let router = router(hooks, intake.clone(), clock)?;
        let failed = |error| TriggersError::Listen { address: config.listen.clone(), error };
        let listener = TcpListener::bind(&config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        progress(&format!("alarms are taken at http://{address}, {}", names.join(", ")));
        tasks.spawn(serve(listener, router));
    }
    tasks.spawn(desk.run());
    let (wakes, told) = (Mutex::new(Some(wakes)), Mutex::new(Some(told)));
    let triggers = Triggers { intake, wakes, told, tasks: Mutex::new(tasks) };
    for (trigger, source, settings) in asked {
        progress(&format!("trigger `{}` asks CloudWatch every {} s", trigger.name, settings.every.as_secs()));
        triggers.poll(trigger, source, settings);
    }
    Ok(Some(triggers))
}

impl Triggers {
    pub(super) fn take_wakes(&self) -> Option<mpsc::UnboundedReceiver<Wake>> {
        self.wakes.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn take_told(&self) -> Option<broadcast::Receiver<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Ask a source for its alarms from now on.
    pub(super) fn poll(&self, trigger: Trigger, source: Arc<dyn AlarmSource>, settings: PollSettings) {
        let polling = poll(source, Arc::new(trigger), settings, self.intake.clone());
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(polling);
    }
}

/// A trigger that asks an account for its alarms.
fn cloudwatch(
    project: &Project,
    accounts: &Accounts,
    name: &str,
    hook: &TriggerConfig,
) -> Option<(Trigger, Arc<dyn AlarmSource>, PollSettings)> {
    // What reads pi.toml refuses one that is not there.
    let of = hook.account.as_deref()?;
    let account = accounts.get(of)?.clone();
    let mut names = hook.names.clone();
    let region = hook.region.as_deref().or(account.region()).map(str::to_owned);
    let default = account.region().map(str::to_owned);
    called_as_services(&mut names, project, |target| {
        target.account == of && target.region.as_ref().or(default.as_ref()) == region.as_ref()
    });
    let defaults = PollSettings::default();
    let every = hook.every_seconds.map_or(defaults.every, Duration::from_secs);
    let settings = PollSettings { every, jitter: defaults.jitter.min(every / 4), ..defaults };
    let trigger = Trigger { name: name.to_owned(), kind: "cloudwatch", agent: hook.agent.clone() };
    let labels = hook.target_labels.clone();
    let source = CloudWatchAlarms::new(account, hook.region.clone(), hook.prefix.clone(), labels, names);
    Some((trigger, Arc::new(source), settings))
}

/// What is here a service is called so, by its id in its cloud and by the alarms of its probe. A name that `pi.toml`
/// gives for the trigger stays.
fn called_as_services(
    names: &mut BTreeMap<String, String>,
    project: &Project,
    is_meant: impl Fn(&CloudTarget) -> bool,
) {
    for (name, service) in &project.config.services {
        let Some(target) = service.cloud.as_ref().filter(|target| is_meant(target)) else { continue };
        let alarms = service.probe.iter().flat_map(|probe| probe.alarms.iter().cloned());
        for known in std::iter::once(target.resource().1.to_owned()).chain(alarms) {
            names.entry(known).or_insert_with(|| name.clone());
        }
    }
}

fn hook_settings(
    directory: &Path,
    config: &TriggersConfig,
    name: &str,
    hook: &TriggerConfig,
) -> Result<HookSettings, TriggersError> {
    let read = |keys: [&'static str; 2], env: &Option<String>, file: &Option<String>| {
        secret(directory, name, keys, env.as_deref(), file.as_deref())
    };
    Ok(HookSettings {
        name: name.to_owned(),
        secret: read(["secret_env", "secret_file"], &hook.secret_env, &hook.secret_file)?,
        token: read(["token_env", "token_file"], &hook.token_env, &hook.token_file)?,
        ca_file: hook.ca_file.as_ref().map(|file| directory.join(file)),
        config: hook.clone(),
        requests_per_second: config.requests_per_second,
        body_bytes_max: usize::try_from(config.body_bytes_max).unwrap_or(usize::MAX),
    })
}

fn secret(
    directory: &Path,
    name: &str,
    [env_key, file_key]: [&'static str; 2],
    env: Option<&str>,
    file: Option<&str>,
) -> Result<Option<Secret>, TriggersError> {
    if let Some(env) = env {
        let value = variable(env).filter(|value| !value.is_empty()).ok_or_else(|| TriggersError::Variable {
            name: name.to_owned(),
            key: env_key,
            variable: env.to_owned(),
            file_key,
        })?;
        return Ok(Some(Secret::new(value)));
    }
    let Some(file) = file else { return Ok(None) };
    read_secret(&directory.join(file)).map(Some).map_err(|(what, hint)| TriggersError::File {
        name: name.to_owned(),
        key: file_key,
        what,
        hint,
    })
}

/// A secret in a file that nobody else can read or change; or what is wrong, and what to do.
fn read_secret(path: &Path) -> Result<Secret, (String, String)> {
    match read_private(path, SECRET_BYTES_MAX)?.trim() {
        "" => {
            let shown = escaped(&path.display().to_string());
            Err((format!("`{shown}` is empty"), "write the secret alone into it".into()))
        }
        text => Ok(Secret::new(text)),
    }
}

/// What is stored of alarms, for those who look.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct AlarmsStored {
    /// By trigger and fingerprint.
    pub alarms: Vec<crate::watch::alarms::Known>,
    pub incidents: BTreeMap<u64, crate::watch::alarms::Incident>,
    pub triggers: BTreeMap<String, crate::watch::intake::Counts>,
    /// Rows that cannot be read.
    pub unreadable: Vec<String>,
}

/// What a host has stored of alarms from outside, whether it runs or not.
///
/// # Errors
/// The store cannot be read.
pub async fn stored_alarms(store: &dyn Store) -> Result<AlarmsStored, StoreError> {
    use crate::watch::alarms::{INCIDENT, KNOWN};
    use crate::watch::intake::COUNTS;
    let mut stored = AlarmsStored::default();
    for prefix in [KNOWN, INCIDENT, COUNTS] {
        for (row, value) in store.values(prefix).await? {
            let name = row.strip_prefix(prefix).unwrap_or_default().to_owned();
            let is_read = match prefix {
                KNOWN => serde_json::from_value(value).map(|known| stored.alarms.push(known)).is_ok(),
                INCIDENT => {
                    let incident = name.parse::<u64>().ok().zip(serde_json::from_value(value).ok());
                    incident.map(|(id, incident)| stored.incidents.insert(id, incident)).is_some()
                }
                _ => serde_json::from_value(value).map(|counts| stored.triggers.insert(name, counts)).is_ok(),
            };
            if !is_read {
                stored.unreadable.push(row);
            }
        }
    }
    Ok(stored)
}
