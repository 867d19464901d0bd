//! Saying who we are: by a name and a password, or by a token that the registry's service gives for them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::header::{HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, Url};
use serde::Deserialize;

use super::{Repository, Right, sending};
use crate::registry::credentials::Credentials;
use crate::registry::fetch::Failure;
use crate::registry::quoted;
use crate::registry::web::{Answer, Ask};

/// Longest challenge, and how many things it may say.
const CHALLENGE_BYTES_MAX: usize = 8 << 10;
const PARAMETERS_MAX: usize = 16;
/// Longest answer with a token.
const TOKEN_BYTES_MAX: u64 = 64 << 10;

/// How a registry wants to be told who asks.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

impl Repository {
    /// The header that says who we are, as the registry asked for in this answer.
    pub(super) async fn log_in(&mut self, answer: &Answer) -> Result<HeaderValue, Failure> {
        let challenges = answer.headers.get_all(WWW_AUTHENTICATE).iter();
        let challenges: Vec<Challenge> =
            challenges.filter_map(|value| value.to_str().ok()).filter_map(challenge).take(4).collect();
        let bearer = challenges.iter().find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
        match (bearer.or(challenges.first()), &self.credentials) {
            (Some(Challenge::Bearer { realm, service }), _) => self.token(realm, service.as_deref()).await,
            (Some(Challenge::Basic), Some(Credentials::Basic { user, password })) => basic(user, password),
            (Some(Challenge::Basic), _) => Err(self.failure(answer)),
            (None, _) => {
                Err(Failure::Challenge("there is no `WWW-Authenticate: Basic` or `Bearer` in its answer".into()))
            }
        }
    }

    async fn token(&self, realm: &str, service: Option<&str>) -> Result<HeaderValue, Failure> {
        let mut url = Url::parse(realm).map_err(|_| Failure::Challenge(format!("`{}` is not a URL", quoted(realm))))?;
        // The password goes there, so it must be as safe on its way as to the registry itself.
        self.web.check_step(&self.base, &url)?;
        let rights = match self.right {
            Right::Pull => "pull",
            Right::Push => "pull,push",
        };
        // The scope is what we need, not what the registry would have us ask for.
        let scope = format!("repository:{}:{rights}", self.name);
        let ask = if let Some(Credentials::IdentityToken(token)) = &self.credentials {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", token);
            form.append_pair("client_id", "pi-host").append_pair("scope", &scope);
            form.append_pair("service", service.unwrap_or_default());
            let ask = sending(Method::POST, url, "application/x-www-form-urlencoded", Bytes::from(form.finish()));
            Ask { bytes_max: TOKEN_BYTES_MAX, ..ask }
        } else {
            url.query_pairs_mut().append_pair("scope", &scope);
            if let Some(service) = service {
                url.query_pairs_mut().append_pair("service", service);
            }
            let mut ask = Ask::get(url, "application/json", TOKEN_BYTES_MAX);
            if let Some(Credentials::Basic { user, password }) = &self.credentials {
                ask.authorization = Some(basic(user, password)?);
            }
            ask
        };
        let answer = self.web.ask(&ask, &mut |_| {}).await?;
        if answer.status.as_u16() != 200 {
            return Err(self.failure(&answer));
        }
        read_token(&answer.body)
    }
}

fn read_token(body: &[u8]) -> Result<HeaderValue, Failure> {
    #[derive(Deserialize)]
    struct Token {
        token: Option<String>,
        access_token: Option<String>,
    }
    let none = || Failure::Challenge("its token service gave no token".into());
    let token: Token = serde_json::from_slice(body).map_err(|_| none())?;
    header("Bearer", &token.token.or(token.access_token).ok_or_else(none)?)
}

fn basic(user: &str, password: &str) -> Result<HeaderValue, Failure> {
    header("Basic", &STANDARD.encode(format!("{user}:{password}")))
}

/// A header that no log shows.
pub(super) fn header(scheme: &str, secret: &str) -> Result<HeaderValue, Failure> {
    let value = HeaderValue::from_str(&format!("{scheme} {secret}"));
    let mut value = value.map_err(|_| Failure::Challenge("the token cannot stand in a header".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// `Bearer realm="https://...",service="...",scope="..."`, or `Basic realm="..."`.
fn challenge(text: &str) -> Option<Challenge> {
    if text.len() > CHALLENGE_BYTES_MAX {
        return None;
    }
    let (scheme, mut rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service) = (None, None);
    for _ in 0..PARAMETERS_MAX {
        let Some((name, value, after)) = parameter(rest) else { break };
        match name.to_ascii_lowercase().as_str() {
            "realm" => realm = Some(value),
            "service" => service = Some(value),
            _ => {}
        }
        rest = after;
    }
    Some(Challenge::Bearer { realm: realm?, service })
}

/// `name="value"` or `name=value`, and what follows the comma.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = text.trim_start_matches([' ', ',']).split_once('=')?;
    let Some(inside) = rest.strip_prefix('"') else {
        let (value, after) = rest.split_once(',').unwrap_or((rest, ""));
        return Some((name.trim(), value.trim().to_owned(), after));
    };
    let mut value = String::new();
    let mut letters = inside.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((name.trim(), value, inside.get(at + 1..)?)),
            '\\' => value.push(letters.next()?.1),
            letter => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer { realm: realm.into(), service: service.map(Into::into) })
        };
        assert_eq!(
            challenge(
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a:pull,push""#
            ),
            bearer("https://auth.docker.io/token", Some("registry.docker.io"))
        );
        assert_eq!(challenge(r#"bearer scope="a\"b, realm=x", realm=https://r/t"#), bearer("https://r/t", None));
        assert_eq!(challenge(r#"Basic realm="basic-realm""#), Some(Challenge::Basic));
    }

    #[test]
    fn nonsense_is_no_challenge_and_ends() {
        for text in ["", "Bearer", "Negotiate", "Bearer realm=\"open", "Bearer x=\"\\", "Bearer service=\"s\""] {
            assert_eq!(challenge(text), None, "{text}");
        }
        assert_eq!(challenge(&format!("Bearer {}realm=\"https://r\"", "a=b,".repeat(CHALLENGE_BYTES_MAX))), None);
        assert_eq!(challenge(&format!("Bearer {}realm=\"https://r\"", "a=b,".repeat(PARAMETERS_MAX))), None);
    }

    #[test]
    fn a_token_is_found_under_both_names_and_cannot_add_a_header() {
        assert_eq!(read_token(br#"{"token":"t"}"#).unwrap().to_str().unwrap(), "Bearer t");
        assert_eq!(read_token(br#"{"access_token":"t"}"#).unwrap().to_str().unwrap(), "Bearer t");
        assert!(read_token(br#"{"token":"t\r\nHost: evil"}"#).is_err());
        assert!(read_token(b"{}").is_err());
        assert!(!format!("{:?}", read_token(br#"{"token":"hunter2"}"#).unwrap()).contains("hunter2"));
    }
}
