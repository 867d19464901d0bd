//! Which requests a grant covers, and which grants cannot be kept.

use super::*;

fn state(text: &str) -> Result<HttpState, GrantError> {
    HttpState::new(&toml::from_str(text).unwrap(), Path::new("/"), Vec::new(), Arc::default())
}

fn wrong(text: &str) -> String {
    state(text).err().unwrap().of("web").to_string()
}

fn covers(state: &HttpState, method: &str, authority: &str, path: &str) -> bool {
    state.covers(method, &Target::read(Scheme::Https, authority, path).unwrap(), "web").is_ok()
}

#[test]
fn a_name_alone_is_looking_at_it_over_https() {
    let state = state("hosts = [\"api.example.com\"]").unwrap();
    assert!(covers(&state, "GET", "API.example.com", "/x") && covers(&state, "HEAD", "api.example.com:443", "/"));
    assert!(!covers(&state, "POST", "api.example.com", "/") && !covers(&state, "OPTIONS", "api.example.com", "/"));
    assert!(!covers(&state, "GET", "api.example.com:8443", "/") && !covers(&state, "GET", "x.api.example.com", "/"));
    let plain = Target::read(Scheme::Http, "api.example.com:443", "/").unwrap();
    assert!(state.covers("GET", &plain, "web").is_err());
}

#[test]
fn a_wildcard_is_for_what_stands_below_alone() {
    let state = state("hosts = [{ host = \"*.example.com\", port = 8443 }]").unwrap();
    assert!(covers(&state, "GET", "a.example.com:8443", "/") && covers(&state, "GET", "a.b.example.com:8443", "/"));
    for other in ["example.com:8443", "aexample.com:8443", "a.example.com", "a.example.com.evil.org:8443"] {
        assert!(!covers(&state, "GET", other, "/"), "{other}");
    }
}

#[test]
fn a_path_is_the_beginning_of_whole_segments() {
    let state = state("hosts = [{ host = \"a.example\", paths = [\"/v1/\", \"/v2\"] }]").unwrap();
    for (path, is_covered) in [
        ("/v1/", true),
        ("/v1/x/y?z", true),
        ("/v1", false),
        ("/v2", true),
        ("/v2/x", true),
        ("/v2x", false),
        ("/", false),
        ("/V1/", false),
        ("/v1%2Fx", false),
    ] {
        assert_eq!(covers(&state, "GET", "a.example", path), is_covered, "{path}");
    }
}

#[test]
fn two_entries_of_one_host_do_not_mix() {
    let state =
        state("hosts = [{ host = \"a.example\", methods = [\"POST\"], paths = [\"/in\"] }, \"a.example\"]").unwrap();
    assert!(covers(&state, "POST", "a.example", "/in") && covers(&state, "GET", "a.example", "/in"));
    assert!(!covers(&state, "POST", "a.example", "/other"));
}

#[test]
fn what_could_never_hold_or_could_hold_for_more_is_an_error() {
    for (text, expected) in [
        ("hosts = [\"https://a.example\"]", "it is a URL"),
        ("hosts = [\"a.example/v1\"]", "a host has no path"),
        ("hosts = [\"user@a.example\"]", "a user's name"),
        ("hosts = [\"a.example.\"]", "ends with a dot"),
        ("hosts = [\"bücher.example\"]", "xn--"),
        ("hosts = [\"*\"]", "only at the beginning"),
        ("hosts = [\"a.*.example\"]", "only at the beginning"),
        ("hosts = [\"*.com\"]", "at least two names"),
        ("hosts = [\"*.1.2.3.4\"]", "at least two names"),
        ("hosts = [\"0x7f.1\"]", "more than one way"),
        ("hosts = [\"[::ffff:1.2.3.4]\"]", "another spelling"),
        ("hosts = [\"a.example:0\"]", "1 to 65535"),
        ("hosts = [{ host = \"a.example\", port = 0 }]", "1 to 65535"),
        ("hosts = [{ host = \"a.example:1\", port = 2 }]", "two ports"),
        ("hosts = [{ host = \"a.example\", scheme = \"ftp\" }]", "\"https\" or \"http\""),
        ("hosts = [{ host = \"a.example\", methods = [\"get\"] }]", "no method that can be granted"),
        ("hosts = [{ host = \"a.example\", methods = [\"CONNECT\"] }]", "no method that can be granted"),
        ("hosts = [{ host = \"a.example\", methods = [] }]", "`methods` is empty"),
        ("hosts = [{ host = \"a.example\", paths = [] }]", "`paths` is empty"),
        ("hosts = [{ host = \"a.example\", paths = [\"v1\"] }]", "begins with `/`"),
        ("hosts = [{ host = \"a.example\", paths = [\"/v1/*\"] }]", "a path here is plain"),
        ("hosts = [{ host = \"a.example\", paths = [\"/v1/../x\"] }]", "a path here is plain"),
        ("private = [\"localhost\"]", "it has no port"),
        ("private = [\"http://localhost:80\"]", "port is no number"),
        ("timeout_ms_max = 0", "from 1 to 600000"),
        ("request_bytes_max = 9999999999", "from 1 to 1073741824"),
        ("requests_max = 0", "from 1 to 1000000"),
    ] {
        let error = wrong(text);
        assert!(error.contains(expected) && error.contains("[grants.web.http]"), "{text}: {error}");
    }
}

#[test]
fn an_unknown_key_is_named() {
    for text in
        ["host = []", "hosts = [{ host = \"a\", method = [] }]", "hosts = [{ methods = [\"GET\"] }]", "hosts = [1]"]
    {
        let error = toml::from_str::<HttpGrant>(text).unwrap_err().to_string();
        assert!(
            error.contains("unknown field")
                || error.contains("missing field `host`")
                || error.contains("the name of a host"),
            "{text}: {error}"
        );
    }
}

#[test]
fn a_file_of_authorities_that_cannot_be_used_is_an_error_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &[u8]| {
        std::fs::write(folder.path().join(name), text).unwrap();
        name.to_owned()
    };
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let large = vec![b'\n'; usize::try_from(trust::FILE_BYTES_MAX).unwrap() + 1];
    for (name, expected) in [
        ("none.pem".to_owned(), "cannot be read: No such file"),
        (".".to_owned(), "no file of at most 1048576 bytes"),
        (file("large.pem", &large), "no file of at most 1048576 bytes"),
        (file("full.pem", &large[1..]), "there is no certificate in it: "),
        (file("empty.pem", b""), "there is no certificate in it: "),
        (file("der.pem", &[0x30, 0x82, 0xff, 0]), "there is no certificate in it: "),
        (
            file("key.pem", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            "but a private key, which belongs to the server",
        ),
        (file("odd.pem", certificate.as_bytes()), "a certificate that cannot be read"),
        (file("cut.pem", &certificate.as_bytes()[..40]), "it is no PEM"),
    ] {
        let grant = HttpGrant {
            hosts: vec![HttpHost { host: "a.example".into(), ca_file: Some(name.clone()), ..HttpHost::default() }],
            ..HttpGrant::default()
        };
        let error = HttpState::new(&grant, folder.path(), Vec::new(), Arc::default()).err().unwrap().to_string();
        assert!(error.contains(expected) && error.contains(&format!("`{name}` cannot be granted")), "{name}: {error}");
    }
    let plain = "hosts = [{ host = \"a.example\", scheme = \"http\", ca_file = \"x.pem\" }]";
    assert!(wrong(plain).contains("`ca_file` is for https"), "{}", wrong(plain));
}
