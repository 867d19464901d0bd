//! The channels of `[approvals]`: made of what `pi.toml` names and of secrets from the environment,
//! and tried before anything is asked.

use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::approvals::ApprovalsError;
use crate::approval::Approvals;
use crate::approval::channel::{
    Channel, Clock, Patience, Secret, Slack, SlackSettings, Webhook, WebhookSettings, serve,
};
use crate::clock;
use crate::config::{ApprovalsConfig, SlackConfig, WebhookConfig, variable};

/// The channels of a host.
#[derive(Default)]
pub(super) struct Channels {
    pub all: Vec<Arc<dyn Channel>>,
    inbound: Vec<Inbound>,
}

/// A channel that people answer over HTTP.
struct Inbound {
    address: String,
    listener: TcpListener,
    channel: Answered,
}

enum Answered {
    Slack(Arc<Slack>),
    Webhook(Arc<Webhook>),
}

/// Make and try the channels. One that is set up wrongly is an error; one that cannot be reached now
/// is said, and tried again with each approval.
///
/// # Errors
/// What is wrong in `[approvals]`.
pub(super) async fn channels(config: &ApprovalsConfig, notes: &mut Vec<String>) -> Result<Channels, ApprovalsError> {
    let mut channels = Channels::default();
    if let Some(config) = &config.slack {
        let slack = Arc::new(slack(config)?);
        try_out(slack.as_ref(), notes).await?;
        if let Some(address) = &config.listen {
            let listener = listen("slack", address).await?;
            channels.inbound.push(Inbound {
                address: address.clone(),
                listener,
                channel: Answered::Slack(slack.clone()),
            });
        }
        channels.all.push(slack);
    }
    if let Some(config) = &config.webhook {
        let webhook = Arc::new(webhook(config)?);
        try_out(webhook.as_ref(), notes).await?;
        if let Some(address) = &config.listen {
            let listener = listen("webhook", address).await?;
            let channel = Answered::Webhook(webhook.clone());
            channels.inbound.push(Inbound { address: address.clone(), listener, channel });
        }
        channels.all.push(webhook);
    }
    notes
        .extend(channels.inbound.iter().map(|inbound| format!("approvals are answered at http://{}", inbound.address)));
    Ok(channels)
}

impl Channels {
    /// Serve answers that come over HTTP.
    pub(super) fn serve(self, approvals: &Arc<Approvals>, tasks: &mut JoinSet<()>) {
        for Inbound { listener, channel, .. } in self.inbound {
            let router: Router = match channel {
                Answered::Slack(slack) => slack.router(approvals.clone()),
                Answered::Webhook(webhook) => webhook.router(approvals.clone()),
            };
            tasks.spawn(serve(listener, router));
        }
    }
}

async fn try_out(channel: &dyn Channel, notes: &mut Vec<String>) -> Result<(), ApprovalsError> {
    match channel.check().await {
        Ok(connected) => notes.push(format!("approvals go to {connected}")),
        Err(error) if error.is_temporary() => {
            notes.push(format!("{error}: approvals wait in `pi-host approvals list` until it answers"));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

async fn listen(channel: &'static str, address: &str) -> Result<TcpListener, ApprovalsError> {
    TcpListener::bind(address).await.map_err(|error| ApprovalsError::Listen {
        channel,
        address: address.to_owned(),
        error,
    })
}

fn slack(config: &SlackConfig) -> Result<Slack, ApprovalsError> {
    let optional =
        |key: &'static str, name: &Option<String>| name.as_ref().map(|name| secret("slack", key, name)).transpose();
    let settings = SlackSettings {
        channel: config.channel.clone(),
        bot_token: secret("slack", "bot_token_env", &config.bot_token_env)?,
        app_token: optional("app_token_env", &config.app_token_env)?,
        signing_secret: optional("signing_secret_env", &config.signing_secret_env)?,
        api_url: config.api_url.clone(),
        patience: Patience::default(),
    };
    Ok(Slack::new(settings, now())?)
}

fn webhook(config: &WebhookConfig) -> Result<Webhook, ApprovalsError> {
    let secret = secret("webhook", "secret_env", &config.secret_env)?;
    Ok(Webhook::new(WebhookSettings { url: config.url.clone(), secret, patience: Patience::default() }, now())?)
}

fn secret(channel: &'static str, key: &'static str, name: &str) -> Result<Secret, ApprovalsError> {
    let unset = || ApprovalsError::Variable { channel, key, variable: name.to_owned() };
    variable(name).map(Secret::new).ok_or_else(unset)
}

fn now() -> Clock {
    Arc::new(clock::now_ms)
}
