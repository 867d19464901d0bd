//! Secrets on their way into requests: whose they are, where they go, and where they never do.

use http::{HeaderMap, HeaderValue};

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

/// AWS publishes no vector with `x-amz-*` headers of today's form; what is signed is looked at by its parts.
#[test]
fn a_signature_covers_what_is_sent_and_replaces_what_the_guest_wrote() {
    let secret = Secret {
        name: "aws".into(),
        value: SecretText("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into()),
        hosts: Vec::new(),
        way: Way::SigV4 {
            service: "dynamodb".into(),
            region: "eu-west-1".into(),
            access_key_id: "AKIDEXAMPLE".into(),
            session_token: Some(SecretText("sessiontoken".into())),
        },
    };
    let mut target = Target::read(Scheme::Https, "dynamodb.eu-west-1.amazonaws.com", "/").unwrap();
    let sign = |body: &[u8], target: &mut Target| {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("mine"));
        headers.insert("x-amz-security-token", HeaderValue::from_static("mine"));
        headers.insert("x-amz-target", HeaderValue::from_static("DynamoDB_20120810.GetItem"));
        headers.insert("x-other", HeaderValue::from_static("b"));
        secret.put("POST", target, &mut headers, Some(body)).unwrap();
        headers
    };
    assert!(secret.wants_body(&target));
    let headers = sign(b"{}", &mut target);
    let text = headers["authorization"].to_str().unwrap();
    assert!(text.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{text}");
    assert!(
        text.contains("/eu-west-1/dynamodb/aws4_request")
            && text.contains("SignedHeaders=host;x-amz-date;x-amz-security-token;x-amz-target,"),
        "{text}"
    );
    assert_eq!(headers["x-amz-security-token"], "sessiontoken");
    assert!(headers["authorization"].is_sensitive() && headers.contains_key("x-amz-date"));
    assert!(!text.contains("wJalr"));
    let other = sign(b"{\"a\":1}", &mut target);
    assert_ne!(other["authorization"], headers["authorization"]);
}

#[test]
fn s3_takes_a_body_that_is_not_signed_over_https_alone() {
    let way = Way::SigV4 { service: "s3".into(), region: "r".into(), access_key_id: "A".into(), session_token: None };
    let secret = Secret { name: "s3".into(), value: SecretText("longenough".into()), hosts: Vec::new(), way };
    let mut target = Target::read(Scheme::Https, "b.s3.amazonaws.com", "/a%20b").unwrap();
    assert!(!secret.wants_body(&target));
    let mut headers = HeaderMap::new();
    secret.put("PUT", &mut target, &mut headers, None).unwrap();
    assert_eq!(headers["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
    assert!(secret.wants_body(&Target::read(Scheme::Http, "b.s3.amazonaws.com", "/").unwrap()));
}
