//! `[mcp.NAME]` of `pi.toml`: a server whose tools this host offers to its agents, behind the gate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::mcp_limits::PeerLimits as McpLimitsConfig;

/// A server: exactly one of `command` and `url`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct McpConfig {
    /// Program and arguments; it speaks MCP on its standard streams.
    pub command: Vec<String>,
    /// Relative to `pi.toml`. None: the folder of `pi.toml`.
    pub directory: Option<String>,
    pub environment: BTreeMap<String, String>,
    /// Its variables that take their value from a variable of the host: name there = name here.
    pub secrets: BTreeMap<String, String>,
    /// Folders that it may read, and those it may write, beside the system's own libraries.
    pub read: Vec<String>,
    pub write: Vec<String>,
    /// Whether it may open TCP connections and listen.
    pub network: bool,
    pub memory_bytes_max: u64,
    pub processes_max: u32,
    /// `https://...`; `http://` only on this machine.
    pub url: Option<String>,
    /// Headers of each request to `url`: name = the host's variable that holds the whole value.
    pub headers: BTreeMap<String, String>,
    /// The server's tools that are offered, by its own names. None: all.
    pub tools: Option<Vec<String>>,
    /// Those of them that change nothing, by its own names: a person's word. All others count as destructive,
    /// whatever the server says of them.
    pub read_only: Vec<String>,
    pub limits: McpLimitsConfig,
}

impl Default for McpConfig {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            directory: None,
            environment: BTreeMap::new(),
            secrets: BTreeMap::new(),
            read: Vec::new(),
            write: Vec::new(),
            network: false,
            memory_bytes_max: 1 << 30,
            processes_max: 64,
            url: None,
            headers: BTreeMap::new(),
            tools: None,
            read_only: Vec::new(),
            limits: McpLimitsConfig::default(),
        }
    }
}

impl McpConfig {
    /// Whether it can work.
    ///
    /// # Errors
    /// The place, what is wrong there, and what to do.
    pub fn check(&self, name: &str) -> Result<(), (String, &'static str, String)> {
        let wrong =
            |key: &str, what, hint: &str| Err((format!("[mcp.{name}] {key}").trim_end().into(), what, hint.into()));
        let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if name.is_empty() || name.len() > 24 || !is_name(name) {
            let hint = "1 to 24 characters of a-z, 0-9 and `_`: its tools are called by it, as `name_tool`";
            return wrong("", "the name cannot stand before those of its tools", hint);
        }
        match (&self.url, self.command.is_empty()) {
            (None, true) => return wrong("", "there is neither a command nor a url", "write one of them"),
            (Some(_), false) => return wrong("", "there are both a command and a url", "write one of them"),
            (Some(url), true) => {
                if !is_safe_url(url) {
                    let hint = "write https://..., or http:// with localhost, 127.0.0.1 or [::1]";
                    return wrong("url", "it is no URL that can be trusted on its way", hint);
                }
                let is_of_process = self.directory.is_some()
                    || self.network
                    || [&self.environment, &self.secrets].iter().any(|map| !map.is_empty())
                    || [&self.read, &self.write].iter().any(|list| !list.is_empty());
                if is_of_process {
                    let hint =
                        "`directory`, `environment`, `secrets`, `read`, `write` and `network` belong to a `command`";
                    return wrong("url", "a key would do nothing", hint);
                }
            }
            (None, false) if !self.headers.is_empty() => {
                return wrong("headers", "a key would do nothing", "headers belong to a `url`");
            }
            (None, false) => {}
        }
        let variables = self.environment.keys().chain(self.secrets.iter().flat_map(|(to, from)| [to, from]));
        for variable in variables.chain(self.headers.values()) {
            if variable.is_empty() || variable.contains(['=', '\0', ' ']) {
                let hint =
                    "the value of a header or a secret is the *name* of an environment variable: \"GITHUB_TOKEN\"";
                return wrong("", "what is to be a variable's name is none", hint);
            }
        }
        for header in self.headers.keys() {
            if http::HeaderName::from_bytes(header.as_bytes()).is_err() {
                return wrong("headers", "a header's name is none", "write letters, digits and `-`");
            }
        }
        let is_offered = |tool: &String| self.tools.as_ref().is_none_or(|tools| tools.contains(tool));
        if !self.read_only.iter().all(is_offered) {
            return wrong("read_only", "a tool would not be offered", "name it in `tools` as well");
        }
        self.limits.check().or_else(|hint| wrong("limits", "a limit is out of range", hint))
    }
}

/// Whether what is sent there is encrypted, or never leaves this machine.
fn is_safe_url(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else {
        return false;
    };
    // `user@host` shows one name and means another.
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    let host = uri.host().unwrap_or_default();
    match uri.scheme_str() {
        _ if has_user || host.is_empty() => false,
        Some("https") => true,
        Some("http") => ["localhost", "127.0.0.1", "[::1]"].contains(&host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> McpConfig {
        toml::from_str(text).unwrap()
    }

    fn complaint(name: &str, text: &str) -> String {
        let (place, what, hint) = read(text).check(name).unwrap_err();
        format!("{place}: {what} ({hint})")
    }

    #[test]
    fn a_command_or_a_url_is_enough() {
        assert_eq!(read("command = ['server']").check("a"), Ok(()));
        assert_eq!(
            read("url = 'https://mcp.example.com/mcp'\nheaders = { Authorization = 'TOKEN' }").check("a"),
            Ok(())
        );
        assert_eq!(read("url = 'http://127.0.0.1:8080/mcp'").check("a"), Ok(()));
        assert_eq!(read("url = 'http://[::1]:8080/mcp'").check("a"), Ok(()));
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        assert!(toml::from_str::<McpConfig>("comand = ['server']").is_err());
        assert!(toml::from_str::<McpConfig>("command = ['server']\nlimits = { tols_max = 1 }").is_err());
    }

    #[test]
    fn what_cannot_work_or_would_do_nothing_is_an_error() {
        assert!(complaint("a", "").contains("neither"));
        assert!(complaint("a", "command = ['a']\nurl = 'https://a'").contains("both"));
        assert!(complaint("a", "url = 'https://a'\nread = ['/']").contains("would do nothing"));
        assert!(complaint("a", "command = ['a']\nheaders = { a = 'B' }").contains("would do nothing"));
        assert!(complaint("Git-Hub", "command = ['a']").contains("`name_tool`"));
        assert!(complaint("a", "command = ['a']\nsecrets = { T = 'ghp_x y' }").contains("*name*"));
        assert!(complaint("a", "url = 'https://a'\nheaders = { 'a b' = 'B' }").contains("header's name"));
        assert!(complaint("a", "command = ['a']\ntools = ['b']\nread_only = ['c']").contains("not be offered"));
        assert!(complaint("a", "command = ['a']\nlimits = { tools_max = 0 }").contains("out of range"));
    }

    #[test]
    fn a_url_that_others_could_read_is_refused() {
        for url in
            ["http://example.com/", "ftp://localhost", "localhost", "https://a@b/", "http://127.0.0.1.evil.com/", ""]
        {
            assert!(!is_safe_url(url), "{url}");
        }
    }
}
