//! Keys: where they come from, where they go, and where they are never seen.

use super::server::Reply;
use super::*;

#[tokio::test]
async fn a_key_goes_into_the_header_of_its_protocol_and_nowhere_else() {
    for protocol in ALL {
        let server = ModelServer::start(vec![Reply::text("hi")]).await;
        complete(&model(protocol, &server, ""), &request("hi")).await.0.unwrap();
        let sent = server.requests().remove(0);
        let holding: Vec<_> = sent.headers.iter().filter(|(_, value)| value.contains(KEY)).collect();
        let bearer = ("authorization".to_owned(), format!("Bearer {KEY}"));
        let expected = match protocol {
            Protocol::Anthropic => ("x-api-key".to_owned(), KEY.to_owned()),
            Protocol::Openai | Protocol::Bedrock => bearer,
        };
        assert_eq!(holding, [&expected]);
        assert!(!String::from_utf8(sent.body).unwrap().contains(KEY) && !sent.path.contains(KEY));
    }
}

#[tokio::test]
async fn a_server_of_ones_own_is_asked_without_a_key() {
    let server = ModelServer::start(vec![Reply::text("hi")]).await;
    let text = format!("[main]\nprotocol = \"openai\"\nmodel = \"qwen3\"\nbase_url = \"{}\"", server.openai_url());
    // The provider's key is there, and must not go to another server that speaks its protocol.
    let model = built_with(&text, Duration::from_secs(1), &|_| Some("sk-of-openai-itself".into())).unwrap();
    complete(&model, &request("hi")).await.0.unwrap();
    assert_eq!(server.requests()[0].header("authorization"), None);
}

#[test]
fn a_missing_key_is_said_with_its_variable() {
    for (protocol, variable) in
        [("anthropic", "ANTHROPIC_API_KEY"), ("openai", "OPENAI_API_KEY"), ("bedrock", "AWS_ACCESS_KEY_ID")]
    {
        let text = format!("[main]\nprotocol = \"{protocol}\"\nmodel = \"x\"\nregion = \"eu-central-1\"");
        let Err(error) = built(&text) else { panic!("{protocol} was built without a key") };
        assert!(matches!(error, ModelError::KeyMissing { .. }), "{error}");
        assert!(error.to_string().contains(variable) && error.to_string().contains("\nhint: set"), "{error}");
    }
}

#[test]
fn a_model_or_a_region_that_is_not_there_is_said() {
    let models = BTreeMap::new();
    let clients = Clients::default();
    let around = Surroundings::new(Path::new("/"), &variable, &clients);
    let Err(error) = build("other", &models, &around) else { panic!("there is no such model") };
    assert!(error.to_string().contains("there is no model `other`"), "{error}");
    let text = "[main]\nprotocol = \"bedrock\"\nmodel = \"x\"\nkey_env = \"TEST_KEY\"";
    let Err(error) = built(text) else { panic!("there is no region") };
    assert!(error.to_string().contains("no region"), "{error}");
}

#[tokio::test]
async fn a_key_of_a_file_is_read_where_it_is_ours_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = ModelServer::start(vec![Reply::text("hi")]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "sk-of-a-file\n").unwrap();
    let text = format!(
        "[main]\nprotocol = \"openai\"\nmodel = \"x\"\nbase_url = \"{}\"\nkey_file = \"key\"",
        server.openai_url()
    );
    let models: BTreeMap<String, ModelConfig> = toml::from_str(&text).unwrap();
    let clients = Clients::default();
    let around = Surroundings::new(folder.path(), &variable, &clients);
    for mode in [0o644, 0o600] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        match (mode, build("main", &models, &around)) {
            (0o600, Ok(model)) => {
                complete(&model, &request("hi")).await.0.unwrap();
            }
            (0o644, Err(error)) => assert!(error.to_string().contains("hint: chmod 600"), "{error}"),
            (mode, _) => panic!("{mode:o}"),
        }
    }
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer sk-of-a-file"));
    assert_eq!(pi_host::model::keys(&models, &around), [("models.main".to_owned(), "sk-of-a-file".to_owned())]);
}

#[tokio::test]
async fn known_secrets_are_taken_out_of_what_a_server_says() {
    let server = ModelServer::start(vec![Reply::status(400, r#"{"error":{"message":"no hunter22 here"}}"#)]).await;
    let models: BTreeMap<String, ModelConfig> =
        toml::from_str(&format!("[main]\n{}", Protocol::Openai.lines(&server))).unwrap();
    let clients = Clients::default();
    let mask: pi_host::model::Mask = Arc::new(|text: &str| text.replace("hunter22", "[secret db]"));
    let around = Surroundings { mask: Some(mask), ..Surroundings::new(Path::new("/nonexistent"), &variable, &clients) };
    let error = complete(&build("main", &models, &around).unwrap(), &request("hi")).await.0.unwrap_err();
    assert!(error.to_string().contains("no [secret db] here"), "{error}");
}
