//! Whether `[approvals]` can work: a question that nobody could answer is an error when the file is
//! read, and not when somebody waits for it.

use std::collections::BTreeSet;

use super::ApprovalsConfig;

impl ApprovalsConfig {
    /// # Errors
    /// The place, what is wrong there, and what to do.
    pub(super) fn check(&self) -> Result<(), (String, &'static str, String)> {
        let place = |key: &str| format!("[approvals] {key}");
        let is_name = |name: &String| {
            name == "*" || name.split_once(':').is_some_and(|(channel, who)| !channel.is_empty() && !who.is_empty())
        };
        let rungs = std::iter::once((&self.approvers, self.wait_minutes))
            .chain(self.next.iter().map(|next| (&next.approvers, next.wait_minutes)));
        for (approvers, wait_minutes) in rungs {
            if approvers.is_empty() {
                return Err((
                    place("approvers"),
                    "nobody may decide",
                    "name somebody: \"cli:*\", \"slack:U0123\"".into(),
                ));
            }
            if let Some(wrong) = approvers.iter().find(|name| !is_name(name)) {
                let hint = format!(
                    "write `{wrong}` as channel and name: \"slack:U0123\", \"cli:alice\", \"terminal:*\", \"webhook:*\""
                );
                return Err((place("approvers"), "a name has no channel", hint));
            }
            if let Some(hint) = approvers.iter().find_map(|name| self.unreachable(name)) {
                return Err((place("approvers"), "nobody could answer by this name", hint));
            }
            if wait_minutes == 0 || wait_minutes > 43_200 {
                return Err((place("wait_minutes"), "it is not between 1 minute and 30 days", "write 30, say".into()));
            }
        }
        if self.quorum.iter().any(|quorum| quorum.votes == 0 || quorum.votes > 20) {
            return Err((
                place("quorum"),
                "`votes` is not between 1 and 20",
                "write { risk = 80, votes = 2 }, say".into(),
            ));
        }
        let votes_max = self.quorum.iter().map(|quorum| quorum.votes).max().unwrap_or(1);
        if let Some(count) = self.people_count().filter(|count| *count < votes_max as usize) {
            let hint = format!(
                "name {votes_max} people or more in `approvers` and `next`, or lower `votes`; there are {count}"
            );
            return Err((place("quorum"), "more have to agree than may decide", hint));
        }
        let mut named = BTreeSet::new();
        for name in self.people.values().flatten() {
            if !is_name(name) || name.contains('*') || !named.insert(name) {
                let hint =
                    format!("write `{name}` once, as channel and name: alice = [\"slack:U0123\", \"cli:alice\"]");
                return Err((place("people"), "a name is none, or belongs to two", hint));
            }
        }
        if self.slack.as_ref().is_some_and(|slack| slack.channel.is_empty()) {
            return Err((
                "[approvals.slack] channel".into(),
                "there is none",
                "write the channel's id, as in its address: C0123ABCD".into(),
            ));
        }
        if let Some(slack) = &self.slack
            && slack.app_token_env.is_none()
            && (slack.signing_secret_env.is_none() || slack.listen.is_none())
        {
            let hint = "write `app_token_env` for Socket Mode, or `signing_secret_env` and `listen` for HTTP".into();
            return Err(("[approvals.slack]".into(), "no answer could come back", hint));
        }
        if self.webhook.as_ref().is_some_and(|webhook| webhook.url.is_empty()) {
            return Err(("[approvals.webhook] url".into(), "there is none", "write the address that is called".into()));
        }
        Ok(())
    }

    /// Why nobody can answer by this name here, and what to do. None: somebody can.
    fn unreachable(&self, name: &str) -> Option<String> {
        let (channel, _) = name.split_once(':')?;
        match channel {
            "cli" | "terminal" => None,
            "slack" if self.slack.is_some() => None,
            "slack" => Some(format!("`{name}` answers in Slack: add [approvals.slack], or name somebody else")),
            "webhook" => match &self.webhook {
                Some(webhook) if webhook.listen.is_some() => None,
                Some(_) => Some(format!("`{name}` answers by webhook: add `listen` to [approvals.webhook]")),
                None => Some(format!("`{name}` answers by webhook: add [approvals.webhook] with `listen`")),
            },
            _ => Some(format!("there is no channel `{channel}`: write slack, cli, terminal or webhook")),
        }
    }

    /// How many people may decide. None: as many as there are.
    fn people_count(&self) -> Option<usize> {
        let names = self.approvers.iter().chain(self.next.iter().flat_map(|next| &next.approvers));
        let mut people = BTreeSet::new();
        for name in names {
            if name.ends_with('*') {
                return None;
            }
            let aliases = |names: &&Vec<String>| names.contains(name);
            let person = self.people.iter().find(|(_, names)| aliases(names)).map(|(person, _)| person.clone());
            // A user of this machine is one person, at the terminal and at the command line.
            let user = |user: &str| format!("user:{user}");
            let own = match name.split_once(':') {
                Some(("cli" | "terminal", name)) => user(name),
                _ => name.clone(),
            };
            people.insert(person.map_or(own, |person| format!("person:{person}")));
        }
        Some(people.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    fn error(approvals: &str) -> String {
        Config::parse(approvals, "pi.toml").map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn approvals_that_cannot_work_are_an_error() {
        let cases = [
            ("approvers = [\"slak:bob\"]", "there is no channel `slak`"),
            ("approvers = [\"slack:U1\"]", "add [approvals.slack]"),
            ("approvers = [\"webhook:*\"]\n[approvals.webhook]\nurl = \"https://h/\"", "add `listen`"),
            ("approvers = [\"webhook:*\"]", "add [approvals.webhook]"),
            ("approvers = [\"cli:a\"]\nquorum = [{ risk = 1, votes = 5 }]", "more have to agree than may decide"),
            ("approvers = [\"cli:a\", \"terminal:a\"]\nquorum = [{ risk = 1, votes = 2 }]", "there are 1"),
            ("approvers = [\"alice\"]", "a name has no channel"),
            ("next = [{ approvers = [\"irc:x\"], wait_minutes = 1 }]", "there is no channel `irc`"),
            ("[approvals.people]\na = [\"cli:*\"]", "a name is none"),
            ("[approvals.people]\na = [\"cli:x\"]\nb = [\"cli:x\"]", "belongs to two"),
        ];
        for (approvals, expected) in cases {
            let error = error(&format!("[approvals]\n{approvals}\n"));
            assert!(error.contains(expected), "{approvals}: {error}");
        }
    }

    #[test]
    fn approvals_that_work_are_none() {
        let cases = [
            "",
            "approvers = [\"cli:a\", \"cli:b\"]\nquorum = [{ risk = 1, votes = 2 }]",
            "approvers = [\"cli:*\"]\nquorum = [{ risk = 1, votes = 2 }]",
            "[approvals.people]\na = [\"cli:x\", \"slack:U1\"]",
        ];
        for approvals in cases {
            assert_eq!(error(&format!("[approvals]\n{approvals}\n")), "", "{approvals}");
        }
    }

    #[test]
    fn preopens_that_are_written_go_with_the_profile_auto_alone() {
        let text =
            |profile: &str| format!("[policy]\nprofile = \"{profile}\"\n[grants.x.preopens]\nwrite = [\"out\"]\n");
        assert_eq!(error(&text("auto")), "");
        assert!(error(&text("approve")).contains("[grants.x.preopens] write"), "{}", error(&text("approve")));
    }
}
