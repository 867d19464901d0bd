//! Shell scripts on an instance, through SSM's `AWS-RunShellScript`: sending one, waiting for it, and the few that
//! change something.
//!
//! They are written to be read: the gatekeeper judges their text, and so does the person who is asked. Names go into
//! them only as [`quoted`] words, and only those that [`is_unit`] or [`is_path`] lets through.

use pi_sdk::{Value, json};

use super::aws;
use super::inspect::Rotated;
use super::target::Target;
use crate::world::{Answer, Call, Trouble, World};

/// Between two looks whether a command has ended.
const POLL_MS: u32 = 1_000;
/// A file that is longer is not changed from here: SSM takes scripts of limited length.
pub const FILE_BYTES_MAX: usize = 24_000;
/// Of one piece of a script: SSM takes longer ones, and bounds them all.
const PIECE_BYTES_MAX: usize = 10_000;
/// What ends the text of a file in a script. A file that has such a line is not changed.
const END: &str = "PI_HOST_END_OF_FILE";

/// What a command has printed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Printed {
    pub out: String,
    pub err: String,
}

/// Send a script to the target.
pub fn send(target: &Target, script: &str, why: &str, timeout_s: u32) -> Call {
    let arguments = json!({
        "InstanceIds": [target.id()],
        "DocumentName": "AWS-RunShellScript",
        "Comment": why.chars().take(100).collect::<String>(),
        "TimeoutSeconds": timeout_s.max(30),
        "Parameters": { "commands": commands(script), "executionTimeout": [timeout_s.to_string()] },
    });
    target.change("ssm:SendCommand", arguments)
}

/// A script as SSM takes one: pieces of whole lines, none of them empty, which it puts together again.
fn commands(script: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for line in script.lines() {
        match pieces.last_mut() {
            Some(piece) if line.is_empty() || piece.len() + line.len() < PIECE_BYTES_MAX => {
                piece.push('\n');
                piece.push_str(line);
            }
            _ if line.is_empty() => {}
            _ => pieces.push(line.to_owned()),
        }
    }
    pieces
}

/// Wait for the end of a command that was sent.
pub fn wait(world: &mut dyn World, target: &Target, sent: &Value, wait_ms: u32) -> Result<Printed, Trouble> {
    let command = aws::text(aws::field(sent, "Command"), "CommandId").to_owned();
    if command.is_empty() {
        return Err(Trouble::Failed("`ssm:SendCommand` gave no id of its command".into()));
    }
    let begin = world.now_ms();
    let look = target.read("ssm:GetCommandInvocation", json!({ "CommandId": command, "InstanceId": target.id() }));
    loop {
        match world.call_one(look.clone()) {
            Ok(answer) => {
                if let Some(result) = ended(&answer) {
                    return result;
                }
            }
            // Right after it was sent, the command is not known on all sides yet.
            Err(trouble) if aws::is_gone(&trouble) => {}
            Err(trouble) => return Err(trouble),
        }
        if world.now_ms().saturating_sub(begin) >= u64::from(wait_ms) {
            let text = format!("the command `{command}` has not ended within {wait_ms} ms");
            return Err(Trouble::Unknown(text));
        }
        world.sleep(POLL_MS);
    }
}

fn ended(answer: &Value) -> Option<Result<Printed, Trouble>> {
    let printed = Printed {
        out: aws::text(answer, "StandardOutputContent").to_owned(),
        err: aws::text(answer, "StandardErrorContent").to_owned(),
    };
    match aws::text(answer, "Status") {
        "Success" => Some(Ok(printed)),
        "Pending" | "InProgress" | "Delayed" | "Cancelling" | "" => None,
        status => {
            let said: String = printed.err.trim().chars().take(300).collect();
            let code = aws::field(answer, "ResponseCode");
            Some(Err(Trouble::Failed(format!("the command ended as `{status}` (exit code {code}): {said}"))))
        }
    }
}

/// Send a script and wait for it.
pub fn run(world: &mut dyn World, target: &Target, call: &Call, wait_ms: u32) -> Answer {
    let sent = world.call_one(call.clone())?;
    let printed = wait(world, target, &sent, wait_ms)?;
    Ok(json!({ "out": printed.out, "err": printed.err }))
}

/// A word that the shell takes as it is.
pub fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A service of systemd, by a plain name.
pub fn is_unit(name: &str) -> bool {
    let stem = name.strip_suffix(".service").unwrap_or_default();
    !stem.is_empty()
        && name.len() <= 120
        && !stem.starts_with(['-', '.'])
        && stem.chars().all(|c| c.is_ascii_alphanumeric() || "@:._-".contains(c))
}

/// An absolute path that goes straight where it says.
pub fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && path.len() <= 400
        && !path.split('/').any(|part| part == "..")
        && path.chars().all(|c| !c.is_control())
}

pub fn restart(unit: &str) -> String {
    let unit = quoted(unit);
    format!("systemctl restart -- {unit} && systemctl is-active -- {unit}")
}

/// Remove these logs that were rotated away, each only if it still is the file that was looked at, is where its name
/// says, and nobody has it open; then say how full the disks are.
pub fn remove_logs(logs: &[Rotated]) -> Result<String, String> {
    let mut script = String::from("open=$(ls -l /proc/[0-9]*/fd 2> /dev/null)\n");
    for Rotated { path, bytes, modified_s } in logs {
        if !is_path(path) || path.contains("{{") {
            return Err(format!("`{path}` is no plain absolute path"));
        }
        let file = quoted(path);
        script.push_str(&format!(
            "if [ \"$(stat -c '%s %Y' -- {file})\" = '{bytes} {modified_s}' ] && [ \"$(realpath -- {file})\" = {file} ] && \
             ! printf '%s' \"$open\" | grep -qF -- {}; then rm -f -- {file}; fi\n",
            quoted(&format!(" -> {path}"))
        ));
    }
    script.push_str("df -P -k");
    Ok(script)
}

/// Write `content` over the file, if it still is the one with the digest that was seen. The former one is kept beside
/// it as `backup`.
pub fn replace_file(path: &str, digest: &str, content: &str, backup: &str) -> Result<String, String> {
    if !is_path(path) || !is_path(backup) {
        return Err(format!("`{path}` is no plain absolute path"));
    }
    if content.len() > FILE_BYTES_MAX {
        return Err(format!("`{path}` is longer than {FILE_BYTES_MAX} bytes"));
    }
    if !content.ends_with('\n') || content.lines().any(|line| line == END) || content.contains('\0') {
        return Err(format!("`{path}` does not end with a line, or is no plain text: it is not changed from here"));
    }
    if content.contains("{{") {
        return Err(format!("`{path}` has `{{{{`, which SSM would take for the name of a parameter"));
    }
    if digest.len() != 64 || !digest.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(format!("the digest of `{path}` is not known"));
    }
    let (path, backup) = (quoted(path), quoted(backup));
    Ok(format!(
        "set -e\nif [ \"$(sha256sum < {path} | cut -d ' ' -f 1)\" != {digest} ]; then echo 'it was changed since it was looked at' >&2; exit 3; fi\n\
         cp -pT -- {path} {backup}\ncat > {path} <<'{END}'\n{content}{END}\nsha256sum < {path}"
    ))
}

/// Put the kept file back.
pub fn restore_file(path: &str, backup: &str) -> Result<String, String> {
    if !is_path(path) || !is_path(backup) {
        return Err(format!("`{path}` is no plain absolute path"));
    }
    let (path, backup) = (quoted(path), quoted(backup));
    Ok(format!("set -e\ntest -f {backup}\ncat -- {backup} > {path}\nsha256sum < {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_get_into_a_script() {
        for unit in ["app.service", "getty@tty1.service", "my-app.v2.service"] {
            assert!(is_unit(unit), "{unit}");
        }
        for unit in
            ["app", ".service", "--force.service", "a b.service", "a;reboot.service", "$(id).service", "x\n.service"]
        {
            assert!(!is_unit(unit), "{unit}");
        }
        assert!(is_path("/etc/app/app.conf") && is_path("/etc/it's.conf"));
        for path in ["etc/app", "/etc/../shadow", "/etc/a\nb", ""] {
            assert!(!is_path(path), "{path:?}");
        }
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn a_script_is_sent_in_pieces_that_are_never_empty_and_make_it_again() {
        let long = format!("cat > f <<'E'\n\na = 1\n\n\n{}\nE\n\ndf", vec!["x".repeat(99); 300].join("\n"));
        let pieces = commands(&long);
        assert!(pieces.len() > 2 && pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= PIECE_BYTES_MAX));
        assert_eq!(pieces.join("\n"), long);
        assert_eq!(commands("\n\ndf"), ["df"]);
    }

    #[test]
    fn a_file_that_a_script_cannot_carry_is_not_changed() {
        let digest = "a".repeat(64);
        assert!(replace_file("/etc/a", &digest, "x = 1\n", "/etc/a.old").is_ok());
        for content in ["x = 1", "PI_HOST_END_OF_FILE\n", "a\0b\n", "{{ pool }}\n", &"x\n".repeat(FILE_BYTES_MAX)] {
            assert!(replace_file("/etc/a", &digest, content, "/etc/a.old").is_err());
        }
        assert!(replace_file("/etc/a", "$(reboot)", "x\n", "/etc/a.old").is_err());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a script is shown to work by a real shell")]
    fn only_the_logs_that_were_seen_and_are_not_open_are_removed() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = std::env::temp_dir().canonicalize().unwrap().join(format!("pi-sre-logs-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let make = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            let known = std::fs::metadata(&path).unwrap();
            Rotated { path: path.to_str().unwrap().into(), bytes: known.len(), modified_s: known.mtime() as u64 }
        };
        let logs = [make("it's.1", "old\n"), make("b.1", "old\n"), make("c.1", "old\n"), make("d.1", "old\n")];
        std::fs::write(&logs[1].path, "somebody wrote\n").unwrap();
        let _open = std::fs::File::open(&logs[2].path).unwrap();
        std::fs::rename(&logs[3].path, folder.join("e")).unwrap();
        std::os::unix::fs::symlink(folder.join("e"), &logs[3].path).unwrap();
        let script = remove_logs(&logs).unwrap();
        let done = std::process::Command::new("sh").arg("-c").arg(&script).output().unwrap();
        let mut left: Vec<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["b.1", "c.1", "d.1", "e"], "{}", String::from_utf8_lossy(&done.stderr));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    /// The scripts do what they say, by a real shell on real files.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a script is shown to work by a real shell")]
    fn a_file_is_replaced_kept_and_put_back() {
        let folder = std::env::temp_dir().join(format!("pi-sre-script-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("it's.conf").to_str().unwrap().to_owned();
        let backup = format!("{path}.kept");
        let sh = |script: &str| {
            let done = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
            (done.status.success(), String::from_utf8(done.stdout).unwrap())
        };
        std::fs::write(&path, "pool = eight\n").unwrap();
        let (_, printed) = sh(&format!("sha256sum < {}", quoted(&path)));
        let digest = printed.split(' ').next().unwrap().to_owned();
        let script = replace_file(&path, &digest, "pool = 8\n# $HOME `id`\n", &backup).unwrap();
        assert!(sh(&script).0);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "pool = 8\n# $HOME `id`\n");
        // The digest is not the file's any more: somebody else's change is not written over.
        assert!(!sh(&script).0);
        assert!(sh(&restore_file(&path, &backup).unwrap()).0);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "pool = eight\n");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
