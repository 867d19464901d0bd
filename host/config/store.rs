//! `[store]`: where state is kept. Without it, in a file beside `pi.toml`. A password is never here.

use serde::{Deserialize, Serialize};

/// A schema of a PostgreSQL database, instead of the file `.pi/store.db`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// `postgres://USER@HOST/DATABASE`, without a password. Exactly one of this and `url_env`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The environment variable that holds the address, with its password if need be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_env: Option<String>,
    /// The environment variable that holds the password. None: `PGPASSWORD`, else the user's `~/.pgpass`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// This project's schema: another for each project of the database.
    pub schema: String,
}

impl StoreConfig {
    /// Where it is wrong, what is, and what to do.
    pub(super) fn check(&self) -> Result<(), (String, &'static str, String)> {
        let wrong = |key: &str, what, hint: &str| Err((format!("[store] {key}"), what, hint.to_owned()));
        if self.url.is_some() == self.url_env.is_some() {
            let hint = "write exactly one of `url` and `url_env`; without [store] state is in .pi/store.db";
            return wrong("url", "it is not clear where the store is", hint);
        }
        if self.url.as_deref().is_some_and(has_password) {
            let hint =
                "take it out, and name a variable that holds it: `password_env`; or set PGPASSWORD, or use ~/.pgpass";
            return wrong("url", "a password stands in pi.toml, which others may read", hint);
        }
        if self.schema.is_empty() {
            let hint = "write schema = \"shop\", say: each project has a schema of its own";
            return wrong("schema", "there is none, and two projects would meet", hint);
        }
        Ok(())
    }
}

/// Whether the part before the `@` has a colon, or a parameter is called so.
pub(super) fn has_password(url: &str) -> bool {
    let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
    let authority = address.split_once("//").map_or(address, |(_, rest)| rest);
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    user.contains(':') || parameters.split('&').any(|parameter| parameter.starts_with("password="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_wherever_an_address_may_have_one() {
        assert!(has_password("postgres://pi:x@db/a"));
        assert!(has_password("postgres://pi:a/b@db/a"));
        assert!(has_password("postgres://pi@db/a?sslmode=require&password=x"));
        assert!(!has_password("postgres://pi@db:5432/a?sslmode=require"));
        assert!(!has_password("postgres://db:5432/a"));
    }
}
