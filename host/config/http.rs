//! `[grants.X.http]`: the hosts that a plugin may request, and how much.

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpGrant {
    pub hosts: Vec<HttpHost>,
    /// `host:port` that may be an address of one's own network.
    pub private: Vec<String>,
    pub request_bytes_max: u64,
    pub response_bytes_max: u64,
    /// From the request to the end of the answer.
    pub timeout_ms_max: u64,
    /// In one call.
    pub requests_max: u32,
}

impl Default for HttpGrant {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            private: Vec::new(),
            request_bytes_max: 8 << 20,
            response_bytes_max: 16 << 20,
            timeout_ms_max: 30_000,
            requests_max: 100,
        }
    }
}

/// A host with what may be asked of it. In `pi.toml` also as its name alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HttpHost {
    /// A name, or `*.` and the end of one.
    pub host: String,
    /// None: GET and HEAD.
    pub methods: Option<Vec<String>>,
    /// Beginnings of paths. None: all.
    pub paths: Option<Vec<String>>,
    /// None: that of the scheme.
    pub port: Option<u16>,
    /// `https` or `http`. None: `https`.
    pub scheme: Option<String>,
    /// The authorities that alone are believed about the host, as a PEM file relative to `pi.toml`. None: those of
    /// the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
}

/// The long form, which says by name which key it does not know.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    host: String,
    methods: Option<Vec<String>>,
    paths: Option<Vec<String>>,
    port: Option<u16>,
    scheme: Option<String>,
    ca_file: Option<String>,
}

impl<'de> Deserialize<'de> for HttpHost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HostVisitor)
    }
}

struct HostVisitor;

impl<'de> Visitor<'de> for HostVisitor {
    type Value = HttpHost;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name of a host, or a table with `host`, `methods`, `paths`, `port`, `scheme`, `ca_file`")
    }

    fn visit_str<E: de::Error>(self, host: &str) -> Result<HttpHost, E> {
        Ok(HttpHost { host: host.to_owned(), ..HttpHost::default() })
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<HttpHost, M::Error> {
        let Table { host, methods, paths, port, scheme, ca_file } =
            Table::deserialize(MapAccessDeserializer::new(map))?;
        Ok(HttpHost { host, methods, paths, port, scheme, ca_file })
    }
}
