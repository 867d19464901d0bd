//! Secrets on their way into requests: whose they are, where they go, and where they never do.

use http::{HeaderMap, HeaderValue};
use serde::Deserialize;

use super::put::put_all;
use super::*;

/// A folder with `token`, for its owner alone.
fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    folder
}

fn load(folder: &tempfile::TempDir, config: &str) -> Result<Secrets, SecretError> {
    Secrets::load(&toml::from_str(config).unwrap(), folder.path())
}

fn wrong(text: &str, config: &str) -> String {
    load(&folder(text), config).unwrap_err().to_string()
}

const HEADER: &str = "[a]\nfile = \"token\"\nhosts = [\"api.example.com\"]\nas = { header = \"Authorization\", value = \"Bearer {}\" }\n";

fn granted(secrets: &Secrets, names: &[&str]) -> Result<Vec<Arc<Secret>>, GrantError> {
    secrets.granted(&SecretsGrant { names: names.iter().map(|name| (*name).to_owned()).collect() })
}

#[test]
fn a_value_comes_from_a_file_of_its_owner_alone() {
    let folder = folder("longenough\n");
    let secrets = load(&folder, HEADER).unwrap();
    assert_eq!(granted(&secrets, &["a"]).unwrap()[0].value.exposed(), "longenough");
    assert!(secrets.scan().finds(b"x longenough"));
    assert!(!format!("{secrets:?}").contains("longenough"));
    let file = folder.path().join("token");
    for mode in [0o640, 0o604, 0o660] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = load(&folder, HEADER).unwrap_err().to_string();
        assert!(error.contains("others can read") && error.contains("chmod 600"), "{error}");
    }
}

#[test]
fn what_is_wrong_is_named_and_the_value_is_not() {
    let replaced = |from: &str, to: &str| HEADER.replace(from, to);
    for (value, config, expected) in [
        ("short\n", HEADER.to_owned(), "shorter than 8 bytes"),
        (&"x".repeat(VALUE_BYTES_MAX + 1), HEADER.to_owned(), "longer than 4096 bytes"),
        (&"x".repeat(VALUE_BYTES_MAX * 2), HEADER.to_owned(), "no file of at most 4096 bytes"),
        ("SECRET\nLINE", HEADER.to_owned(), "what no header may hold"),
        ("SECRETVALUE", replaced("file = \"token\"", "file = \"none\""), "cannot be read"),
        ("SECRETVALUE", replaced("file = \"token\"", "file = \".\""), "no regular file"),
        (
            "SECRETVALUE",
            replaced("file = \"token\"", "file = \"token\"\nenv = \"X\""),
            "exactly one of `env` and `file`",
        ),
        ("SECRETVALUE", replaced("file = \"token\"\n", ""), "exactly one of `env` and `file`"),
        ("SECRETVALUE", replaced("[\"api.example.com\"]", "[]"), "bound to no host"),
        ("SECRETVALUE", replaced("api.example.com", "*.example.com"), "no name of a host"),
        ("SECRETVALUE", replaced("api.example.com", "api.example.com."), "ends with a dot"),
        ("SECRETVALUE", replaced("Bearer {}", "Bearer"), "`{}` once"),
        ("SECRETVALUE", replaced("Bearer {}", "{}{}"), "`{}` once"),
        ("SECRETVALUE", replaced("Authorization", "a b"), "no header's name"),
        ("SECRETVALUE", replaced("Authorization", "Host"), "the host itself writes"),
        ("SECRETVALUE", replaced("header = \"Authorization\"", "query = \"a\""), "exactly one of `header`"),
        (
            "SECRETVALUE",
            replaced("header = \"Authorization\"", "query = \"a\", basic = \"b\""),
            "exactly one of `header`",
        ),
        ("SECRETVALUE", replaced("header = \"Authorization\", value = \"Bearer {}\"", "basic = \"a:b\""), "no `:`"),
        ("SECRETVALUE", replaced("[a]", "[\"a b\"]"), "letters, digits"),
    ] {
        let error = wrong(value, &config);
        assert!(
            error.contains(expected) && error.contains("hint: ") && error.starts_with("[secrets."),
            "{config}: {error}"
        );
        assert!(!error.contains("SECRET"), "{error}");
    }
}

#[test]
fn a_variable_that_is_not_set_matters_where_it_is_granted() {
    let secrets = load(&folder(""), &HEADER.replace("file = \"token\"", "env = \"PI_TEST_NOT_SET_ANYWHERE\"")).unwrap();
    let error = granted(&secrets, &["a"]).unwrap_err().of("web").to_string();
    assert!(
        error.contains("`PI_TEST_NOT_SET_ANYWHERE` is not set") && error.contains("[grants.web.secrets]"),
        "{error}"
    );
    assert!(granted(&secrets, &["b"]).unwrap_err().to_string().contains("there is no [secrets.b]"));
}

#[test]
fn two_secrets_for_one_place_of_one_host_are_an_error() {
    let config = format!("{HEADER}{}", HEADER.replace("[a]", "[b]"));
    let secrets = load(&folder("longenough"), &config).unwrap();
    assert!(granted(&secrets, &["a"]).is_ok());
    assert!(
        granted(&secrets, &["a", "b"]).unwrap_err().to_string().contains("would both be the header `authorization`")
    );
    let config = format!("{HEADER}{}", HEADER.replace("[a]", "[b]").replace("api.", "b."));
    assert!(granted(&load(&folder("longenough"), &config).unwrap(), &["a", "b"]).is_ok());
}

#[test]
fn a_secret_is_for_its_host_and_port_over_https_or_where_an_exception_is_named() {
    let secrets =
        load(&folder("longenough"), &HEADER.replace("api.example.com", "api.example.com:8443\", \"b.example")).unwrap();
    let secret = granted(&secrets, &["a"]).unwrap().remove(0);
    let goes = |scheme, authority: &str, is_exception| {
        secret.is_for(&Target::read(scheme, authority, "/").unwrap(), is_exception)
    };
    assert!(goes(Scheme::Https, "api.example.com:8443", false) && goes(Scheme::Https, "B.example", false));
    assert!(goes(Scheme::Http, "api.example.com:8443", true));
    assert!(!goes(Scheme::Http, "api.example.com:8443", false));
    for other in ["api.example.com", "b.example:8443", "x.b.example", "b.example.evil.org"] {
        assert!(!goes(Scheme::Https, other, false), "{other}");
    }
}

fn secret(value: &str, way: Way) -> Arc<Secret> {
    Arc::new(Secret { name: "s".into(), value: SecretText(value.into()), hosts: Vec::new(), way })
}

fn aws(service: &str, token: Option<&str>) -> Arc<Secret> {
    let way = Way::SigV4 {
        service: service.into(),
        region: "us-east-1".into(),
        access_key_id: "AKIDEXAMPLE".into(),
        session_token: token.map(|token| SecretText(token.into())),
    };
    secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", way)
}

/// The time of AWS's vectors, 2015-08-30T12:36:00Z.
const NOW_MS: u64 = 1_440_938_160_000;

/// What AWS publishes for those who implement its signature (Apache-2.0), but for what is about a token outside of the
/// signature, a path that is not normalised or encoded once, and a length that is signed: nothing of it is done here.
#[derive(Deserialize)]
struct Vector {
    name: String,
    token: Option<String>,
    request: String,
    signed: String,
}

/// A request of a vector: its first line, and its headers.
fn parts(text: &str) -> (&str, HeaderMap) {
    let (first, rest) = text.split_once('\n').unwrap();
    let mut headers = HeaderMap::new();
    // A line that begins with spaces goes on with the header above it: HTTP knows it no more.
    for line in rest.replace("\n ", " ").lines().take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value.trim()).unwrap());
    }
    (first.strip_suffix(" HTTP/1.1").unwrap(), headers)
}

#[test]
fn a_signature_is_the_one_that_aws_publishes() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("vectors/sigv4.json")).unwrap();
    let (mut signed, mut refused) = (0, Vec::new());
    for vector in vectors {
        let (first, mut headers) = parts(&vector.request);
        let (_, expected) = parts(&vector.signed);
        let (method, path) = first.split_once(' ').unwrap();
        let host = headers.remove("host").unwrap();
        let Ok(mut target) = Target::read(Scheme::Https, host.to_str().unwrap(), path) else {
            refused.push(vector.name);
            continue;
        };
        let secret = aws("service", vector.token.as_deref());
        put_all(&[secret], method, &mut target, &mut headers, Some(b""), NOW_MS).unwrap();
        for name in ["authorization", "x-amz-date", "x-amz-security-token"] {
            assert_eq!(headers.get(name), expected.get(name), "{}: {name}", vector.name);
        }
        signed += 1;
    }
    // Paths that could mean another one, and characters that must be encoded.
    insta::assert_snapshot!(refused.join(" "), @"get-relative-normalized get-relative-relative-normalized get-slash-dot-slash-normalized get-slash-normalized get-slash-pointless-dot-normalized get-slashes-normalized get-utf8 get-vanilla-utf8-query");
    assert_eq!(signed, 19);
}

#[test]
fn a_signature_replaces_what_the_guest_wrote_and_depends_on_the_body() {
    let mut target = Target::read(Scheme::Https, "dynamodb.us-east-1.amazonaws.com", "/").unwrap();
    let secret = aws("dynamodb", Some("sessiontoken"));
    let sign = |body: &[u8], target: &mut Target| {
        let mut headers = HeaderMap::new();
        for name in put::SIGNED {
            headers.insert(*name, HeaderValue::from_static("mine"));
        }
        headers.insert("x-amz-target", HeaderValue::from_static("DynamoDB_20120810.GetItem"));
        put_all(&[Arc::clone(&secret)], "POST", target, &mut headers, Some(body), NOW_MS).unwrap();
        headers
    };
    assert!(secret.wants_body(&target));
    let headers = sign(b"{}", &mut target);
    let text = headers["authorization"].to_str().unwrap();
    assert!(text.contains("Credential=AKIDEXAMPLE/20150830/us-east-1/dynamodb/aws4_request"), "{text}");
    assert!(text.contains("SignedHeaders=host;x-amz-date;x-amz-security-token;x-amz-target,"), "{text}");
    assert_eq!(headers["x-amz-security-token"], "sessiontoken");
    assert!(headers["authorization"].is_sensitive() && !headers.contains_key("x-amz-content-sha256"));
    assert!(!text.contains("wJalr"));
    assert_ne!(sign(b"{\"a\":1}", &mut target)["authorization"], headers["authorization"]);
}

#[test]
fn what_signs_comes_last_whatever_the_order_of_the_secrets() {
    let header = secret(
        "headervalue",
        Way::Header { name: "x-key".parse().unwrap(), before: "k ".into(), after: String::new() },
    );
    let query = secret("queryvalue", Way::Query("key".into()));
    let aws = aws("service", None);
    let signed = |secrets: &[&Arc<Secret>], path: &str, own: &[(&'static str, &'static str)]| {
        let secrets: Vec<_> = secrets.iter().map(|secret| Arc::clone(secret)).collect();
        let mut target = Target::read(Scheme::Https, "a.example", path).unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in own {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        put_all(&secrets, "GET", &mut target, &mut headers, Some(b""), NOW_MS).unwrap();
        (headers["authorization"].to_str().unwrap().to_owned(), target.query)
    };
    // The same request, where all that the other two put in is there already.
    let expected = signed(&[&aws], "/?a=b&key=queryvalue", &[("x-key", "k headervalue")]);
    assert!(expected.0.contains("SignedHeaders=host;x-amz-date;x-key,"), "{expected:?}");
    for order in [[&aws, &header, &query], [&query, &aws, &header], [&header, &query, &aws]] {
        assert_eq!(signed(&order, "/?a=b", &[("x-key", "mine")]), expected);
    }
    assert_ne!(signed(&[&aws], "/?a=b", &[]), expected);
}

#[test]
fn a_header_that_a_signature_writes_is_no_place_for_another_secret() {
    let both = [
        aws("service", None),
        secret(
            "longenough",
            Way::Header { name: "x-amz-date".parse().unwrap(), before: String::new(), after: String::new() },
        ),
    ];
    let places: Vec<_> = both.iter().map(|secret| secret.places()).collect();
    assert!(places[0].contains(&places[1][0]), "{places:?}");
}

#[test]
fn s3_takes_a_body_that_is_not_signed_over_https_alone() {
    let way = Way::SigV4 { service: "s3".into(), region: "r".into(), access_key_id: "A".into(), session_token: None };
    let secret = secret("longenough", way);
    let mut target = Target::read(Scheme::Https, "b.s3.amazonaws.com", "/a%20b").unwrap();
    assert!(!secret.wants_body(&target));
    let mut headers = HeaderMap::new();
    put_all(&[Arc::clone(&secret)], "PUT", &mut target, &mut headers, None, NOW_MS).unwrap();
    assert_eq!(headers["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
    assert!(secret.wants_body(&Target::read(Scheme::Http, "b.s3.amazonaws.com", "/").unwrap()));
}
