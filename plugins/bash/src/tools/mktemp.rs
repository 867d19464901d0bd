//! `mktemp` with names from the host's random source. bashkit draws them from the seed of its hash
//! tables, which a prepared component would hand out again in every call.

use std::path::Path;

use async_trait::async_trait;
use bashkit::{Builtin, BuiltinContext, ExecResult, Result, normalize_path, vfs_join};

/// Another name is tried when one exists.
const ATTEMPTS_MAX: usize = 100;
const CHARACTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const TEMPLATE: &str = "tmp.XXXXXXXXXX";

pub(crate) struct Mktemp;

#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    is_directory: bool,
    is_dry: bool,
    is_quiet: bool,
    /// Below which folder the template is read; none: below the current one.
    folder: Option<String>,
    suffix: Option<String>,
    template: Option<String>,
}

#[async_trait]
impl Builtin for Mktemp {
    async fn execute(&self, context: BuiltinContext<'_>) -> Result<ExecResult> {
        let default = context.env.get("TMPDIR").or_else(|| context.variables.get("TMPDIR")).cloned();
        let default = default.filter(|folder| !folder.is_empty()).unwrap_or_else(|| "/tmp".to_owned());
        let wanted = match parse(context.args, &default) {
            Ok(wanted) => wanted,
            Err(text) => return Ok(ExecResult::err(format!("mktemp: {text}\n"), 1)),
        };
        let template = wanted.template.as_deref().unwrap_or(TEMPLATE);
        let (prefix, count, suffix) = match split(template, wanted.suffix.as_deref()) {
            Ok(parts) => parts,
            Err(text) => return Ok(ExecResult::err(format!("mktemp: {text}\n"), 1)),
        };
        for _ in 0..ATTEMPTS_MAX {
            let name = format!("{prefix}{}{suffix}", random(count)?);
            let shown = match &wanted.folder {
                Some(folder) => format!("{}/{name}", folder.trim_end_matches('/')),
                None => name,
            };
            let path = normalize_path(&vfs_join(context.cwd, Path::new(&shown)));
            if context.fs.exists(&path).await.unwrap_or(false) {
                continue;
            }
            let made = match (wanted.is_dry, wanted.is_directory) {
                (true, _) => Ok(()),
                (false, true) => context.fs.mkdir(&path, false).await,
                (false, false) => context.fs.write_file(&path, b"").await,
            };
            return match made {
                Ok(()) => {
                    if !wanted.is_dry {
                        let mode = if wanted.is_directory { 0o700 } else { 0o600 };
                        context.fs.chmod(&path, mode).await?;
                    }
                    Ok(ExecResult::ok(format!("{shown}\n")))
                }
                Err(_) if wanted.is_quiet => Ok(ExecResult::err("", 1)),
                Err(error) => {
                    let kind = if wanted.is_directory { "directory" } else { "file" };
                    Ok(ExecResult::err(
                        format!("mktemp: failed to create {kind} via template '{template}': {}\n", reason(&error)),
                        1,
                    ))
                }
            };
        }
        Ok(ExecResult::err("mktemp: too many files of that name\n", 1))
    }
}

fn reason(error: &bashkit::Error) -> String {
    match error {
        bashkit::Error::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
            "No such file or directory".to_owned()
        }
        bashkit::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

fn parse(arguments: &[String], default: &str) -> std::result::Result<Wanted, String> {
    let mut wanted = Wanted::default();
    let mut is_in_folder = false;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--directory" => wanted.is_directory = true,
            "--dry-run" => wanted.is_dry = true,
            "--quiet" => wanted.is_quiet = true,
            "--tmpdir" => wanted.folder = Some(default.to_owned()),
            "--" => wanted.template = arguments.next().cloned().or(wanted.template),
            long if long.starts_with("--tmpdir=") => wanted.folder = long.strip_prefix("--tmpdir=").map(str::to_owned),
            long if long.starts_with("--suffix=") => wanted.suffix = long.strip_prefix("--suffix=").map(str::to_owned),
            "--suffix" => wanted.suffix = arguments.next().cloned(),
            long if long.starts_with("--") => return Err(format!("unrecognized option '{long}'")),
            short if short.len() > 1 && short.starts_with('-') => {
                let mut letters = short.chars().skip(1);
                while let Some(letter) = letters.next() {
                    match letter {
                        'd' => wanted.is_directory = true,
                        'u' => wanted.is_dry = true,
                        'q' => wanted.is_quiet = true,
                        't' => is_in_folder = true,
                        'p' => {
                            let rest: String = letters.by_ref().collect();
                            let folder = if rest.is_empty() { arguments.next().cloned() } else { Some(rest) };
                            wanted.folder = Some(folder.ok_or("option requires an argument -- 'p'")?);
                        }
                        other => return Err(format!("invalid option -- '{other}'")),
                    }
                }
            }
            _ if wanted.template.is_some() => return Err("too many templates".to_owned()),
            template => wanted.template = Some(template.to_owned()),
        }
    }
    if wanted.folder.is_none() && (is_in_folder || wanted.template.is_none()) {
        wanted.folder = Some(default.to_owned());
    }
    Ok(wanted)
}

/// What stands before the last row of `X`, its length, and what stands behind it.
fn split<'a>(template: &'a str, suffix: Option<&'a str>) -> std::result::Result<(&'a str, usize, &'a str), String> {
    let (body, suffix) = match suffix {
        Some(suffix) => (template, suffix),
        None => template.rfind('X').map_or((template, ""), |last| template.split_at(last + 1)),
    };
    let prefix = body.trim_end_matches('X');
    let count = body.len() - prefix.len();
    if count < 3 {
        return Err(format!("too few X's in template '{template}'"));
    }
    Ok((prefix, count, suffix))
}

fn random(count: usize) -> Result<String> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(bytes
        .into_iter()
        .filter_map(|byte| CHARACTERS.get(usize::from(byte) % CHARACTERS.len()))
        .map(|byte| char::from(*byte))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(arguments: &[&str]) -> Wanted {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        parse(&arguments, "/tmp").unwrap()
    }

    #[test]
    fn stands_in_the_temporary_folder_by_default() {
        assert_eq!(wanted(&["-d"]), Wanted { is_directory: true, folder: Some("/tmp".into()), ..Wanted::default() });
    }

    #[test]
    fn reads_a_template_from_the_current_folder() {
        assert_eq!(wanted(&["a.XXX"]).folder, None);
        assert_eq!(wanted(&["-p", "x", "a.XXX"]).folder.as_deref(), Some("x"));
    }

    #[test]
    fn splits_a_template_at_its_last_row() {
        assert_eq!(split("a.XXXX.txt", None), Ok(("a.", 4, ".txt")));
        assert!(split("aXX", None).is_err());
    }

    #[test]
    fn two_names_differ() {
        assert_ne!(random(10).unwrap(), random(10).unwrap());
    }
}
