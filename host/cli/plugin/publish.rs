//! `pi-host plugin push|sign|keygen`: for who publishes plugins.

use std::path::PathBuf;

use anyhow::Context;
use serde_json::json;

use crate::app::plugins::{options, publish};
use crate::app::{Catalog, look};
use crate::cli::{Failure, Output, block_on};
use crate::config::Project;
use crate::gate::explain::escaped;
use crate::registry::fetch::read_bounded;
use crate::registry::signature::{SecretKey, sign, sign_bytes, write_new_pair};
use crate::registry::source::Source;

#[derive(clap::Args)]
#[command(
    after_help = "Credentials are read from docker's and podman's files: log in with `docker login REGISTRY`.\n\nExamples:\n  pi-host plugin push weather.wasm oci://ghcr.io/acme/weather:1.2.0\n  pi-host plugin push weather.wasm oci://localhost:5000/weather:1.2.0 --key plugin.key"
)]
pub(crate) struct PushArguments {
    /// A packed component's file, or the name of a plugin of this project
    plugin: String,
    /// Where to: oci://registry/name:tag
    target: String,
    /// Sign it with this secret key
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pi-host plugin sign weather.wasm --key plugin.key              writes weather.wasm.sig\n  pi-host plugin sign oci://ghcr.io/acme/weather@sha256:... --key plugin.key"
)]
pub(crate) struct SignArguments {
    /// A component's file, or oci://registry/name@sha256:...
    target: String,
    /// The secret key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

#[derive(clap::Args)]
#[command(
    after_help = "Who installs your plugins names the public half: [signatures] keys = [\"plugin.pub\"] in pi.toml."
)]
pub(crate) struct KeygenArguments {
    /// Begin of the two files' names: NAME.key is secret, NAME.pub is not
    #[arg(default_value = "plugin")]
    name: String,
}

pub(crate) fn push(output: &Output, project: &Project, arguments: &PushArguments) -> Result<(), Failure> {
    let bytes = if std::path::Path::new(&arguments.plugin).is_file() {
        read_bounded(std::path::Path::new(&arguments.plugin), crate::registry::COMPONENT_BYTES_MAX)
            .with_context(|| format!("{} cannot be read", arguments.plugin))?
    } else {
        Catalog::of(project)?.bytes(&arguments.plugin)?.into_owned()
    };
    let binary = look(&bytes, "plugin").map_err(|error| anyhow::anyhow!("{}: {error}", arguments.plugin))?;
    let target = Source::parse(&arguments.target)?;
    let key = arguments.key.as_deref().map(SecretKey::read).transpose()?;
    let pushed = block_on(publish(&target, bytes, &binary, key.as_ref()))??;
    let value = json!({
        "reference": Source::Oci(pushed.reference.clone()).to_string(), "digest": pushed.digest.to_string(),
        "manifest_digest": pushed.manifest_digest.to_string(), "signed": key.is_some(),
    });
    output.data(&value, || {
        let signed = if key.is_some() { ", signed" } else { "" };
        format!("pushed{signed}: {}", escaped(&Source::Oci(pushed.reference.clone()).to_string()))
    });
    Ok(())
}

pub(crate) fn run_sign(output: &Output, arguments: &SignArguments) -> Result<(), Failure> {
    let key = SecretKey::read(&arguments.key)?;
    match Source::parse(&arguments.target)? {
        Source::Oci(reference) => {
            let options = options(&Source::Oci(reference.clone()))?;
            let digest = block_on(sign(&reference, &key, &options))??;
            output.data(&json!({ "signature": digest.to_string() }), || format!("signed: the signature is {digest}"));
        }
        Source::File(path) => {
            let bytes = read_bounded(&path, crate::registry::COMPONENT_BYTES_MAX)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            let written = path.with_added_extension("sig");
            let shown = written.display().to_string();
            std::fs::write(&written, sign_bytes(&bytes, &key)?)
                .with_context(|| format!("{shown} cannot be written"))?;
            output.data(&json!({ "written": written }), || format!("{shown} written: publish it beside the component"));
        }
        Source::Web(url) => {
            return Err(anyhow::anyhow!(
                "a URL cannot be signed: {url}\nhint: sign the file, and publish the .sig beside it"
            )
            .into());
        }
    }
    Ok(())
}

pub(crate) fn keygen(output: &Output, arguments: &KeygenArguments) -> Result<(), Failure> {
    let (secret, public) =
        (PathBuf::from(format!("{}.key", arguments.name)), PathBuf::from(format!("{}.pub", arguments.name)));
    let key = write_new_pair(&secret, &public)?;
    let value = json!({ "secret": secret, "public": public, "fingerprint": key.fingerprint().to_string() });
    output.data(&value, || {
        format!(
            "{} written: secret, keep it to yourself\n{} written: give it to who installs your plugins\nfingerprint {}",
            secret.display(),
            public.display(),
            key.fingerprint()
        )
    });
    Ok(())
}
