//! `[delivery.NAME]`: a way by which reports reach people unasked. Passwords and tokens are never here: they come from
//! the environment or a private file.

use pi_schedule::{Job, JobSpec};
use reqwest::Url;
use serde::{Deserialize, Serialize};

/// Longest time for which a report is tried again. Danger: news of last month, delivered today.
const GIVE_UP_HOURS_MAX: u32 = 168;
/// Most people of one mail. Danger: a list of addresses that was meant to be a mailing list.
const RECIPIENTS_MAX: usize = 50;

/// Where reports go, and which.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliveryConfig {
    /// `noteworthy`: reports that say something new. `always`: every one. `digest`: what was noteworthy, together, at
    /// the times of `cron`.
    pub when: DeliverWhen,
    /// For `digest`: as in `[heartbeat.NAME]`.
    pub cron: Option<String>,
    /// For `digest`: an IANA name, such as `Europe/Zurich`. None: UTC.
    pub zone: Option<String>,
    /// A report that could not be delivered for so long is laid aside, and kept.
    pub give_up_hours: u32,
    pub files: Option<FilesDelivery>,
    pub slack: Option<SlackDelivery>,
    pub webhook: Option<WebhookDelivery>,
    pub email: Option<EmailDelivery>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliverWhen {
    #[default]
    Noteworthy,
    Always,
    Digest,
}

/// A folder, such as one that others see.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilesDelivery {
    /// Relative to `pi.toml`.
    pub folder: String,
}

/// A message in a channel, with the pictures and the page in its thread.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlackDelivery {
    /// The channel's id, `C0123ABCD`.
    pub channel: String,
    /// The environment variable that holds the bot token; it needs `chat:write`, and `files:write` for pictures.
    pub bot_token_env: String,
    pub api_url: String,
}

impl Default for SlackDelivery {
    fn default() -> Self {
        let standard = super::SlackConfig::default();
        Self { channel: String::new(), bot_token_env: standard.bot_token_env, api_url: standard.api_url }
    }
}

/// A signed POST to a program of one's own.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookDelivery {
    pub url: String,
    /// The environment variable that holds the secret of the signature.
    pub secret_env: String,
}

impl Default for WebhookDelivery {
    fn default() -> Self {
        Self { url: String::new(), secret_env: "PI_WEBHOOK_SECRET".into() }
    }
}

/// A mail with the pictures in it and the page attached.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmailDelivery {
    /// `smtps://HOST` (TLS from the first byte, port 465) or `smtp://HOST` (STARTTLS, port 587).
    pub server: String,
    /// An address, or `NAME <ADDRESS>`.
    pub from: String,
    pub to: Vec<String>,
    /// None: the server takes mail without a login.
    pub user: Option<String>,
    /// The environment variable that holds the password.
    pub password_env: Option<String>,
    /// A file that nobody else can read and that holds the password, relative to `pi.toml`.
    pub password_file: Option<String>,
    /// An authority to be believed beside those of the system, as a PEM file relative to `pi.toml`.
    pub ca_file: Option<String>,
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            when: DeliverWhen::default(),
            cron: None,
            zone: None,
            give_up_hours: 24,
            files: None,
            slack: None,
            webhook: None,
            email: None,
        }
    }
}

/// Where it is wrong, what is, and what to do.
type Wrong = (String, String, String);

impl DeliveryConfig {
    /// When digests are due. None: reports are delivered one by one.
    ///
    /// # Errors
    /// Which key is wrong, with its value and what is allowed.
    pub fn digest(&self, name: &str) -> Option<Result<Job, pi_schedule::Error>> {
        let spec = JobSpec { cron: self.cron.clone(), zone: self.zone.clone(), ..JobSpec::default() };
        (self.when == DeliverWhen::Digest).then(|| Job::new(name, spec))
    }

    /// # Errors
    /// The place, what is wrong with it, and what to do.
    pub(super) fn check(&self, name: &str) -> Result<(), Wrong> {
        let wrong = |key: &str, what: String, hint: &str| {
            let place = format!("[delivery.{name}] {key}");
            Err((place.trim_end().to_owned(), what, hint.to_owned()))
        };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return wrong("", "a delivery's name is made of letters, digits, `-` and `_`".into(), "rename it");
        }
        let ways = [self.files.is_some(), self.slack.is_some(), self.webhook.is_some(), self.email.is_some()];
        let count = ways.into_iter().filter(|is_there| *is_there).count();
        if count != 1 {
            let hint = "add one of `files`, `slack`, `webhook` and `email`; a second way is a second [delivery.NAME]";
            return wrong("", format!("it has {count} ways, and one is wanted"), hint);
        }
        match self.digest(name) {
            Some(Err(error)) => {
                return wrong("", error.to_string(), "write cron = \"0 8 * * 1\" for Mondays at 8, say");
            }
            None if self.cron.is_some() || self.zone.is_some() => {
                let what = "`cron` and `zone` do nothing here".to_owned();
                return wrong("", what, "write when = \"digest\", or take them out");
            }
            _ => {}
        }
        if self.give_up_hours == 0 || self.give_up_hours > GIVE_UP_HOURS_MAX {
            let what = format!("it is not between 1 and {GIVE_UP_HOURS_MAX}");
            return wrong("give_up_hours", what, "write 24, say");
        }
        if self.files.as_ref().is_some_and(|files| files.folder.is_empty()) {
            return wrong("files", "there is no `folder`".into(), "write files = { folder = \"/srv/reports\" }, say");
        }
        if self.slack.as_ref().is_some_and(|slack| slack.channel.is_empty()) {
            return wrong(
                "slack",
                "there is no `channel`".into(),
                "write the channel's id, as in its address: C0123ABCD",
            );
        }
        if self.webhook.as_ref().is_some_and(|webhook| webhook.url.is_empty()) {
            return wrong("webhook", "there is no `url`".into(), "write the address that is called");
        }
        if let Some(email) = &self.email
            && let Err((what, hint)) = email.check()
        {
            return wrong("email", what, hint);
        }
        Ok(())
    }
}

impl EmailDelivery {
    fn check(&self) -> Result<(), (String, &'static str)> {
        let Ok(url) = Url::parse(&self.server) else {
            return Err(("`server` is no URL".into(), "write server = \"smtps://mail.example.com\", say"));
        };
        if !["smtp", "smtps"].contains(&url.scheme()) || url.host_str().is_none_or(str::is_empty) {
            return Err((
                "`server` is neither smtps nor smtp".into(),
                "write server = \"smtps://mail.example.com\", say",
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err((
                "`server` holds a user or a password".into(),
                "write `user`, and `password_env` or `password_file`",
            ));
        }
        if self.from.is_empty() || self.to.is_empty() || self.to.len() > RECIPIENTS_MAX {
            let what = format!("it needs `from`, and 1 to {RECIPIENTS_MAX} addresses in `to`");
            return Err((what, "write from = \"pi-host@example.com\" and to = [\"data@example.com\"], say"));
        }
        match (&self.user, &self.password_env, &self.password_file) {
            (None, None, None) | (Some(_), Some(_), None) | (Some(_), None, Some(_)) => Ok(()),
            (None, ..) => Err(("there is a password and no `user`".into(), "add `user`")),
            (Some(_), None, None) => {
                Err(("there is a `user` and no password".into(), "add `password_env` or `password_file`"))
            }
            (Some(_), Some(_), Some(_)) => {
                Err(("there are two passwords".into(), "keep `password_env` or `password_file`"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    fn parsed(text: &str) -> Result<Config, String> {
        Config::parse(text, "pi.toml").map_err(|error| error.to_string())
    }

    #[test]
    fn every_way_is_read() {
        for way in [
            "files = { folder = \"out\" }",
            "slack = { channel = \"C1\" }\nwhen = \"always\"",
            "webhook = { url = \"https://h/\" }\nwhen = \"digest\"\ncron = \"0 8 * * 1\"\nzone = \"Europe/Zurich\"",
            "email = { server = \"smtps://m\", from = \"a@b.c\", to = [\"d@e.f\"], user = \"a\", password_env = \"P\" }",
        ] {
            assert!(parsed(&format!("[delivery.team]\n{way}\n")).is_ok(), "{way}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let email = |rest: &str| format!("email = {{ from = \"a@b.c\", to = [\"d@e.f\"], {rest} }}");
        for (way, what) in [
            (String::new(), "it has 0 ways"),
            ("files = { folder = \"a\" }\nslack = { channel = \"C1\" }".into(), "it has 2 ways"),
            ("files = {}".into(), "there is no `folder`"),
            ("slack = {}".into(), "there is no `channel`"),
            ("files = { folder = \"a\" }\nwhen = \"digest\"".into(), "cron"),
            ("files = { folder = \"a\" }\ncron = \"0 8 * * 1\"".into(), "do nothing here"),
            ("files = { folder = \"a\" }\nwhen = \"digest\"\ncron = \"0 25 * * *\"".into(), "25"),
            ("files = { folder = \"a\" }\ngive_up_hours = 0".into(), "give_up_hours"),
            ("files = { folder = \"a\" }\nwhen = \"sometimes\"".into(), "sometimes"),
            (email("server = \"https://m\""), "neither smtps nor smtp"),
            (email("server = \"smtps://u:p@m\""), "holds a user"),
            (email("server = \"smtps://m\", user = \"u\""), "no password"),
            (email("server = \"smtps://m\", password_env = \"P\""), "no `user`"),
            ("email = { server = \"smtps://m\", from = \"a@b.c\" }".into(), "`to`"),
        ] {
            let error = parsed(&format!("[delivery.team]\n{way}\n")).unwrap_err();
            assert!(error.contains(what), "{way}: {error}");
        }
        let job = "[agents.ghost]\n[heartbeat.daily]\nagent = \"ghost\"\nevery = \"1h\"\ndeliver = [\"team\"]\n";
        assert!(parsed(job).unwrap_err().contains("no delivery `team`"));
    }
}
