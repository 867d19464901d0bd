//! Slack's Web API: one call, its errors in words, and what would mend them.

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::http::{self, Http};
use super::{ChannelError, Patience, Secret, cut};
use crate::gate::explain::escaped;

/// What is shown of an error's code.
const CODE_CHARS_MAX: usize = 100;
/// What is shown of the names of a workspace and of a bot.
const LABEL_CHARS_MAX: usize = 100;
/// Codes with which Slack says that it failed itself: the same call may go well the next time.
const OWN_FAULTS: &[&str] =
    &["internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited", "rate_limited"];
/// Where answers to a click may be sent besides the API itself.
const RESPONSE_HOSTS: &[&str] = &["hooks.slack.com", "hooks.slack-gov.com"];

/// Below which files are taken.
const UPLOAD_DOMAINS: &[&str] = &["slack.com", "slack-files.com", "slack-gov.com"];

/// Where Slack's Web API is.
pub const API_URL: &str = "https://slack.com/api";

pub(crate) struct Api {
    pub(crate) http: Http,
    url: Url,
    bot_token: Secret,
    app_token: Option<Secret>,
}

impl Api {
    pub(crate) fn new(
        url: &str,
        bot_token: Secret,
        app_token: Option<Secret>,
        patience: Patience,
    ) -> Result<Self, ChannelError> {
        let url = http::checked("Slack's `api_url`", url)?;
        Ok(Self { http: Http::new(patience)?, url, bot_token, app_token })
    }

    /// A call in the bot's name.
    pub(crate) async fn call(&self, method: &str, body: Value) -> Result<Value, ChannelError> {
        self.ask(method, &self.bot_token, &body).await.map(|(answer, _)| answer)
    }

    /// Who the bot is; fails if its token may not write messages.
    pub(crate) async fn test(&self) -> Result<String, ChannelError> {
        let (answer, headers) = self.ask("auth.test", &self.bot_token, &json!({})).await?;
        let scopes = headers.get("x-oauth-scopes").and_then(|scopes| scopes.to_str().ok());
        if scopes.is_some_and(|scopes| !scopes.split(',').any(|scope| scope.trim() == "chat:write")) {
            let code = "missing_scope".to_owned();
            return Err(ChannelError::Refused { target: target("auth.test"), hint: hint(&code).into(), code });
        }
        let text = |name: &str| {
            cut(&escaped(answer.get(name).and_then(Value::as_str).unwrap_or("(without a name)")), LABEL_CHARS_MAX)
        };
        Ok(format!("Slack workspace {} as {}", text("team"), text("user")))
    }

    /// Where to connect for Socket Mode. The URL holds a ticket: it must not be told.
    pub(crate) async fn open(&self) -> Result<Url, ChannelError> {
        let method = "apps.connections.open";
        let wrong = |what: &str| ChannelError::Answer { target: target(method), what: what.into() };
        let token = self.app_token.as_ref().ok_or_else(|| wrong("there is no app token"))?;
        let (answer, _) = self.ask(method, token, &json!({})).await?;
        let url = answer.get("url").and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
        let url = url.ok_or_else(|| wrong("there is no `url`"))?;
        let is_own = url.scheme() == "ws" && http::is_loopback(&url) && http::is_loopback(&self.url);
        if url.scheme() != "wss" && !is_own {
            return Err(wrong("its `url` is not `wss`, so that anybody on the way could click"));
        }
        Ok(url)
    }

    /// Answer a click by the URL that came with it. None: it is not Slack's.
    pub(crate) async fn respond(&self, response_url: &str, body: &Value) -> Option<Result<(), ChannelError>> {
        let url = Url::parse(response_url).ok()?;
        // It came from outside: the host must not be made to post to a service of the inner network.
        let is_slacks = url.scheme() == "https"
            && url.port().is_none()
            && url.host_str().is_some_and(|host| RESPONSE_HOSTS.contains(&host));
        let is_own = http::is_loopback(&self.url) && url.origin() == self.url.origin();
        if !is_slacks && !is_own {
            return None;
        }
        let target = "Slack's `response_url`";
        let content = body.to_string().into_bytes();
        let answer = self.http.post(target, &url, || (json_headers(), content.clone())).await;
        Some(answer.and_then(|answer| {
            if answer.status.is_success() {
                return Ok(());
            }
            let code = format!("status {}", answer.status.as_u16());
            let hint = "it holds for 30 minutes and five answers".into();
            Err(ChannelError::Refused { target: target.into(), code, hint })
        }))
    }

    /// Bring a file to Slack; its id is for `files.completeUploadExternal`.
    pub(crate) async fn upload(&self, name: &str, alternative: &str, bytes: &[u8]) -> Result<String, ChannelError> {
        let method = "files.getUploadURLExternal";
        let wrong = |what: &str| ChannelError::Answer { target: target(method), what: what.into() };
        let form = upload_form(name, alternative, bytes.len());
        let (answer, _) = self.ask_with(method, &self.bot_token, "application/x-www-form-urlencoded", &form).await?;
        let text = |key: &str| answer.get(key).and_then(Value::as_str);
        let url =
            text("upload_url").and_then(|url| Url::parse(url).ok()).ok_or_else(|| wrong("there is no `upload_url`"))?;
        let id = text("file_id").ok_or_else(|| wrong("there is no `file_id`"))?;
        let host = url.host_str().unwrap_or_default();
        let is_slacks = url.scheme() == "https"
            && url.port().is_none()
            && UPLOAD_DOMAINS
                .iter()
                .any(|domain| host.strip_suffix(domain).is_some_and(|before| before.ends_with('.')));
        let is_own = http::is_loopback(&self.url) && url.origin() == self.url.origin();
        if !is_slacks && !is_own {
            return Err(wrong("its `upload_url` is none of Slack's"));
        }
        let place = "Slack's upload of a file";
        let headers = || HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))]);
        let answer = self.http.post(place, &url, || (headers(), bytes.to_vec())).await?;
        if answer.status.is_success() {
            return Ok(id.to_owned());
        }
        let code = format!("status {}", answer.status.as_u16());
        Err(ChannelError::Refused { target: place.into(), code, hint: "Slack does not take this file".into() })
    }

    async fn ask(&self, method: &str, token: &Secret, body: &Value) -> Result<(Value, HeaderMap), ChannelError> {
        self.ask_with(method, token, "application/json; charset=utf-8", body.to_string().as_bytes()).await
    }

    async fn ask_with(
        &self,
        method: &str,
        token: &Secret,
        content_type: &'static str,
        content: &[u8],
    ) -> Result<(Value, HeaderMap), ChannelError> {
        let target = target(method);
        let url = format!("{}/{method}", self.url.as_str().trim_end_matches('/'));
        let url = Url::parse(&url)
            .map_err(|error| ChannelError::Answer { target: target.clone(), what: error.to_string() })?;
        let Ok(mut authorization) = HeaderValue::from_str(&format!("Bearer {}", token.expose())) else {
            return Err(ChannelError::Config {
                place: "Slack's token".into(),
                what: "it holds characters that no token has".into(),
                hint: "copy it again, without blanks and line ends".into(),
            });
        };
        authorization.set_sensitive(true);
        let mut attempts = 0;
        loop {
            let answer = self
                .http
                .post(&target, &url, || {
                    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
                    headers.insert(AUTHORIZATION, authorization.clone());
                    (headers, content.to_vec())
                })
                .await?;
            let value = answer.json(&target)?;
            if value.get("ok") == Some(&Value::Bool(true)) {
                return Ok((value, answer.headers));
            }
            let Some(code) = value.get("error").and_then(Value::as_str) else {
                let what = format!("status {}, neither `ok` nor an `error`", answer.status.as_u16());
                return Err(ChannelError::Answer { target, what });
            };
            let code = cut(&escaped(&self.hidden(code)), CODE_CHARS_MAX);
            attempts += 1;
            if !OWN_FAULTS.contains(&code.as_str()) {
                let needed = value.get("needed").and_then(Value::as_str).filter(|_| code == "missing_scope");
                let hint = match needed {
                    Some(needed) => {
                        let needed = cut(&escaped(&self.hidden(needed)), CODE_CHARS_MAX);
                        format!("add the scope `{needed}` under `OAuth & Permissions` of the app, and install it again")
                    }
                    None => hint(&code).into(),
                };
                return Err(ChannelError::Refused { target, code, hint });
            }
            if attempts >= self.http.patience.attempts {
                return Err(ChannelError::Unreachable { target, attempts, cause: code });
            }
            tokio::time::sleep(self.http.patience.wait(attempts, &self.http.jitter)).await;
        }
    }

    fn hidden(&self, text: &str) -> String {
        let text = self.bot_token.hidden_in(text);
        self.app_token.as_ref().map_or_else(|| text.clone(), |token| token.hidden_in(&text))
    }
}

fn upload_form(name: &str, alternative: &str, length: usize) -> Vec<u8> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("filename", name).append_pair("length", &length.to_string());
    if !alternative.is_empty() {
        form.append_pair("alt_txt", alternative);
    }
    form.finish().into_bytes()
}

fn json_headers() -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))])
}

fn target(method: &str) -> String {
    format!("Slack's `{method}`")
}

/// What mends an error of Slack's.
fn hint(code: &str) -> &'static str {
    match code {
        "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired" => {
            "the token is wrong or was withdrawn: copy it again from the app's page, or install the app again"
        }
        "not_allowed_token_type" => "the tokens are exchanged: `xoxb-` is the bot token, `xapp-` the app token",
        "missing_scope" | "no_permission" => {
            "add the scope `chat:write` under `OAuth & Permissions` of the app (`connections:write` for the app token), \
             and install it again"
        }
        "channel_not_found" => {
            "write the channel's id, as in `C0123456789` (at the end of the channel's details); of a private channel \
             the bot must be a member: `/invite @BOT`"
        }
        "not_in_channel" => "invite the bot into the channel: `/invite @BOT`",
        "is_archived" => "the channel is archived: name another",
        "restricted_action" | "restricted_action_read_only_channel" => "the workspace lets only some write there",
        "message_not_found" | "cant_update_message" | "edit_window_closed" => {
            "the message was removed, or is of another app; decide with `pi-host approvals`"
        }
        "invalid_blocks" | "invalid_blocks_format" | "msg_blocks_too_long" | "msg_too_long" => {
            "Slack does not show this message; decide with `pi-host approvals`"
        }
        "message_limit_exceeded" => "Slack takes no more messages now; try it later",
        "ekm_access_denied" | "access_denied" | "org_login_required" | "team_access_not_granted" => {
            "the workspace's administrators do not let the app do this"
        }
        _ => "the code is explained on the method's page at https://docs.slack.dev",
    }
}
