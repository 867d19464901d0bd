//! What a request is aimed at: scheme, host, port, path and query, read so that nobody reads them otherwise.
//!
//! Pure. What two programs could understand in two ways (a path with dot segments behind an encoding, an address
//! in octal, a name that ends with a dot, a user in front of the host) is refused here and never repaired: the
//! grant, the gate, the resolver and the server must mean the same thing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest URL of a request. Danger: it is judged, written down and sent as a whole.
pub(super) const URL_BYTES_MAX: usize = 8 << 10;
/// Encodings inside each other that are looked through: `%25252e` is a dot to who decodes three times.
const DECODINGS_MAX: usize = 4;
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::capability) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(in crate::capability) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    pub(in crate::capability) fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A host as exactly one thing: a name in lower case, or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::capability) enum Host {
    Name(String),
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl Host {
    /// Read a host.
    ///
    /// # Errors
    /// Why it is none, or more than one, as the end of a sentence that begins with it.
    pub(in crate::capability) fn read(text: &str) -> Result<Self, &'static str> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or("it has no `]`")?;
            if inner.contains('%') {
                return Err("it names a zone of this machine");
            }
            let address: Ipv6Addr = inner.parse().map_err(|_| "it is no address of version 6")?;
            // Written out, such an address is another one to who compares texts.
            if address.to_ipv4_mapped().is_some() {
                return Err("it is an address of version 4 in another spelling");
            }
            return Ok(Self::Address(address.into()));
        }
        if !text.is_ascii() {
            return Err("it has letters beyond ASCII: write it as `xn--...`");
        }
        if text.is_empty() || text.len() > NAME_BYTES_MAX {
            return Err("it is empty, or too long");
        }
        if text.ends_with('.') {
            return Err("it ends with a dot");
        }
        let is_label = |label: &str| {
            (1..=LABEL_BYTES_MAX).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if !text.split('.').all(is_label) {
            return Err("it is no name of a host");
        }
        // As browsers decide it: what ends with a number is an address, to somebody.
        let last = text.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        let is_number = last.bytes().all(|b| b.is_ascii_digit())
            || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        if is_number {
            let address: Ipv4Addr =
                text.parse().map_err(|_| "it is an address that can be read in more than one way")?;
            return Ok(Self::Address(address.into()));
        }
        Ok(Self::Name(text.to_ascii_lowercase()))
    }
}

/// `host`, or `host:port`.
///
/// # Errors
/// As of [`Host::read`].
pub(in crate::capability) fn host_and_port(text: &str) -> Result<(Host, Option<u16>), &'static str> {
    if text.contains('@') {
        return Err("it holds a user's name");
    }
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.find(']')) {
        Some(end) => text.split_at_checked(end + 2).unwrap_or((text, "")),
        None => text.split_at_checked(text.find(':').unwrap_or(text.len())).unwrap_or((text, "")),
    };
    let host = Host::read(host)?;
    if port.is_empty() {
        return Ok((host, None));
    }
    let digits = port.strip_prefix(':').unwrap_or_default();
    let is_number = !digits.is_empty() && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    match digits.parse() {
        Ok(port) if is_number => Ok((host, Some(port))),
        _ => Err("its port is no number from 1 to 65535"),
    }
}

/// Where one request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::capability) struct Target {
    pub scheme: Scheme,
    pub host: Host,
    pub port: u16,
    /// Begins with `/`.
    pub path: String,
    /// Without the `?`.
    pub query: Option<String>,
}

impl Target {
    /// Read the parts of a request.
    ///
    /// # Errors
    /// What is not clear about it.
    pub(in crate::capability) fn read(scheme: Scheme, authority: &str, path_and_query: &str) -> Result<Self, String> {
        if authority.len() + path_and_query.len() > URL_BYTES_MAX {
            return Err(format!("the URL is longer than {URL_BYTES_MAX} bytes"));
        }
        let (host, port) = host_and_port(authority).map_err(|reason| format!("the host is not clear: {reason}"))?;
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (path_and_query, None),
        };
        let path = if path.is_empty() { "/" } else { path };
        if let Some(reason) = unclear(path) {
            return Err(format!("the path is not clear: {reason}"));
        }
        let is_plain = |text: &str| text.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'#');
        if !query.as_deref().is_none_or(is_plain) {
            return Err("the query has a character that must be percent-encoded".into());
        }
        let port = port.unwrap_or(scheme.port());
        Ok(Self { scheme, host, port, path: path.to_owned(), query })
    }

    /// `host`, with the port where it is not the scheme's own.
    pub(in crate::capability) fn authority(&self) -> String {
        if self.port == self.scheme.port() { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }

    /// Path and query, as they are sent.
    pub(super) fn path_and_query(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    pub(in crate::capability) fn url(&self) -> String {
        format!("{}://{}{}", self.scheme.name(), self.authority(), self.path_and_query())
    }
}

/// Why a path could mean another one to who decodes it.
fn unclear(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') || path.starts_with("//") {
        return Some("it does not begin with one `/`");
    }
    if !path.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'#') {
        return Some("it has a character that must be percent-encoded");
    }
    let mut text = path.as_bytes().to_vec();
    for _ in 0..DECODINGS_MAX {
        if text.iter().any(|b| *b == b'\\' || b.is_ascii_control()) {
            return Some("it holds a backslash or a control character");
        }
        // `/..;/` is `/../` to servers that cut parameters off a segment.
        let name = |segment: &[u8]| segment.split(|b| *b == b';').next().unwrap_or_default().to_vec();
        if text.split(|b| *b == b'/').any(|segment| matches!(name(segment).as_slice(), b"." | b"..")) {
            return Some("it holds a segment `.` or `..`");
        }
        let decoded = decoded(&text);
        if decoded == text {
            return None;
        }
        text = decoded;
    }
    Some("it is encoded again and again")
}

/// With each `%XX` as the byte that it stands for; anything else stays.
pub(in crate::capability) fn decoded(text: &[u8]) -> Vec<u8> {
    let digit = |b: Option<&u8>| b.and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, digit(text.get(at + 1)), digit(text.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(authority: &str, path: &str) -> Result<String, String> {
        Target::read(Scheme::Https, authority, path).map(|target| target.url())
    }

    #[test]
    fn a_plain_url_is_itself() {
        assert_eq!(read("API.example.com", "/v1/x?a=b%20c").unwrap(), "https://api.example.com/v1/x?a=b%20c");
        assert_eq!(read("api.example.com:443", "").unwrap(), "https://api.example.com/");
        assert_eq!(read("[2606:4700::1111]:8443", "?q").unwrap(), "https://[2606:4700::1111]:8443/?q");
        assert_eq!(read("203.0.113.5", "/a/b%2Fc/..d").unwrap(), "https://203.0.113.5/a/b%2Fc/..d");
    }

    #[test]
    fn a_host_that_can_be_read_in_two_ways_is_refused() {
        for authority in [
            "api.example.com@evil.example",
            "user:pass@api.example.com",
            "api.example.com.",
            "api..example.com",
            "0177.0.0.1",
            "0x7f.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "1.2.3.4.5",
            "example.0x10",
            "[::ffff:127.0.0.1]",
            "[fe80::1%eth0]",
            "[fe80::1%25eth0]",
            "[::1",
            "::1",
            "api.example.com:",
            "api.example.com:0443",
            "api.example.com:+443",
            "api.example.com:70000",
            "api.example.com:443:80",
            "api%2eexample.com",
            "bücher.example",
            "a b.example",
            "-a.example",
            "",
        ] {
            let error = read(authority, "/").unwrap_err();
            assert!(error.starts_with("the host is not clear"), "{authority}: {error}");
        }
    }

    #[test]
    fn a_path_that_could_lead_elsewhere_is_refused() {
        for path in [
            "/v1/../admin",
            "/v1/./x",
            "/v1/%2e%2e/admin",
            "/v1/.%2E/admin",
            "/v1/%252e%252e/admin",
            "/v1/%25252e%25252e/admin",
            "/v1%2f..%2fadmin",
            "/v1/..;/admin",
            "/v1/..%3b/admin",
            "/v1\\..\\admin",
            "/v1/%5c..%5cadmin",
            "/v1/a%0d%0aHost:%20x",
            "/v1/a%00",
            "//evil.example/x",
            "/a#b",
            "/ü",
            "/a b",
            "*",
            "/%25252525252e",
        ] {
            let error = read("a.example", path).unwrap_err();
            assert!(error.starts_with("the path is not clear"), "{path}: {error}");
        }
    }

    #[test]
    fn takes_a_url_as_long_as_it_may_be() {
        let path = |bytes: usize| format!("/{}", "x".repeat(bytes - "a.example/".len()));
        assert!(read("a.example", &path(URL_BYTES_MAX)).is_ok());
        assert!(read("a.example", &path(URL_BYTES_MAX + 1)).is_err());
    }
}
