//! `pi-host plugin new`, `plugin test`

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use owo_colors::Style;
use serde_json::json;

use crate::app::plugins::{Packed, Tested, packed, test};
use crate::cli::output::escaped_lines;
use crate::cli::{Failure, Output, block_on};
use crate::gate::explain::escaped;
use crate::registry::fetch::{read_bounded, read_text};
use crate::scaffold::{self, Kind, Language};

/// Largest manifest and list of cases.
const TEXT_BYTES_MAX: u64 = 4 << 20;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  pi-host plugin new weather --lang python
  pi-host plugin new oncall --lang rust --kind agent

Then: cd weather, sh build.sh, pi-host plugin test")]
pub(crate) struct NewArguments {
    /// The plugin's name, and its folder's
    name: String,
    /// rust, python, js or c
    #[arg(long, value_name = "LANGUAGE")]
    lang: String,
    /// tool or agent
    #[arg(long, default_value = "tool")]
    kind: String,
}

#[derive(clap::Args)]
#[command(
    after_help = "Each case of tests.json runs in a folder of its own, with the grants that it or the manifest names."
)]
pub(crate) struct TestArguments {
    /// The plugin's folder, or its component
    #[arg(default_value = ".")]
    path: PathBuf,
    /// The cases; else tests.json beside the component
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
}

pub(crate) fn new(output: &Output, folder: &Path, arguments: &NewArguments) -> Result<(), Failure> {
    let language: Language = arguments.lang.parse()?;
    let kind: Kind = arguments.kind.parse()?;
    let files = scaffold::files(&arguments.name, language, kind)?;
    let root = folder.join(&arguments.name);
    let shown = root.display().to_string();
    std::fs::create_dir(&root).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            anyhow::anyhow!("{shown} is there already; it was left as it is\nhint: take another name")
        }
        _ => anyhow::Error::new(error).context(format!("{shown} cannot be made")),
    })?;
    for (path, bytes) in &files {
        let path = root.join(path);
        let failed = || format!("{} cannot be written", path.display());
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(failed)?;
        }
        std::fs::write(&path, bytes).with_context(failed)?;
        if path.extension().is_some_and(|ending| ending == "sh") {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).with_context(failed)?;
        }
    }
    let value = json!({ "folder": root, "files": files.iter().map(|(path, _)| path).collect::<Vec<_>>() });
    output.data(&value, || {
        format!("{shown} written, {} files\nnext: cd {shown} && sh build.sh && pi-host plugin test", files.len())
    });
    Ok(())
}

pub(crate) fn run_tests(output: &Output, arguments: &TestArguments) -> Result<(), Failure> {
    let (component, folder) = component(&arguments.path)?;
    let shown = component.display().to_string();
    let packed = block_on(packed(&component, &folder.join("plugin.json")))?;
    let Packed { bytes, binary } = packed.map_err(|error| anyhow::anyhow!("{shown}: {error}"))?;
    let cases = arguments.cases.clone().unwrap_or_else(|| folder.join("tests.json"));
    let text = read_bounded(&cases, TEXT_BYTES_MAX).with_context(|| {
        format!("{} cannot be read\nhint: docs/languages/ shows what stands in it", cases.display())
    })?;
    let told = |tested: &Tested| {
        if output.is_json {
            return;
        }
        let (word, style) = match &tested.fault {
            None => ("ok", Style::new().green()),
            Some(_) => ("FAILED", Style::new().red().bold()),
        };
        output.note(&format!("{} {}", output.err(word, style), escaped(&tested.name)));
        if let Some(fault) = &tested.fault {
            output.note(&format!("       {}", escaped_lines(fault)));
        }
    };
    let tested = block_on(test(&bytes, &binary, &text, &told))??;
    let failed = tested.iter().filter(|tested| tested.fault.is_some()).count();
    output.data(&tested, || format!("{} passed, {failed} failed", tested.len() - failed));
    if failed == 0 { Ok(()) } else { Err(Failure::Said) }
}

/// The component, and the folder in which its cases are.
fn component(path: &Path) -> Result<(PathBuf, PathBuf), Failure> {
    if path.is_file() {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        return Ok((path.to_owned(), parent.unwrap_or(Path::new(".")).to_owned()));
    }
    let at = path.join("plugin.json");
    let text = read_text(&at, TEXT_BYTES_MAX)
        .with_context(|| format!("{} cannot be read\nhint: name a plugin's folder, or its component", at.display()))?;
    let manifest: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{} is not JSON", at.display()))?;
    let name = manifest.get("name").and_then(serde_json::Value::as_str).unwrap_or_default();
    if name.is_empty() || name.contains(['/', '\0']) {
        return Err(anyhow::anyhow!("{} has no `name`", at.display()).into());
    }
    let file = path.join(format!("{name}.wasm"));
    if !file.is_file() {
        return Err(anyhow::anyhow!("{} is not there\nhint: build it: sh build.sh", file.display()).into());
    }
    Ok((file, path.to_owned()))
}
