//! Landlock: which paths a program may reach.

use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};

use crate::confine::Spec;

/// Programs and their libraries: read and executed.
const SYSTEM_PROGRAMS: &[&str] =
    &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"];
/// What the C library and common programs look up. Not all of `/etc`: passwords, keys and
/// configurations with secrets are there. `/proc` is bounded by Landlock itself: of processes outside,
/// only what is public can be read, not their environment, memory or descriptors.
const SYSTEM_DATA: &[&str] = &[
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/hostname",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/services",
    "/etc/protocols",
    "/etc/os-release",
    "/etc/debian_version",
    "/etc/alternatives",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust",
    "/etc/ca-certificates",
    "/etc/mime.types",
    "/etc/magic",
    "/etc/locale.alias",
    "/etc/terminfo",
    "/etc/inputrc",
    "/etc/mke2fs.conf",
    "/etc/python3",
    "/etc/python3.11",
    "/etc/perl",
    "/proc",
    "/sys/devices/system",
    "/sys/kernel/mm/transparent_hugepage",
    "/dev/random",
    "/dev/urandom",
];
/// Harmless to write.
const SYSTEM_SINKS: &[&str] = &["/dev/null", "/dev/zero", "/dev/full"];

/// The newest that is known here. Rights that the kernel does not know are left out.
const NEWEST: ABI = ABI::V10;

/// The rules for one run, to be enforced by [`enforce`]: made while this process may still open every path.
/// `has_mounts`: what is kept and hidden is so by mounts already.
pub(super) fn rules(spec: &Spec, has_mounts: bool) -> Result<RulesetCreated, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let execute = read | AccessFs::Execute;
    // No device nodes, and nothing that was written is executed: what a program makes is data. No
    // connecting to Unix sockets either: behind those are services without any confinement.
    let write = AccessFs::from_all(NEWEST)
        & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev | AccessFs::ResolveUnix);
    let sink = read | AccessFs::WriteFile | AccessFs::Truncate;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?;
    if !spec.network {
        ruleset = ruleset.handle_access(AccessNet::from_all(NEWEST))?;
    }
    let rule = |created: RulesetCreated, paths: &[PathBuf], access: BitFlags<AccessFs>| {
        created.add_rules(path_beneath_rules(paths, access))
    };
    let created = ruleset.create()?;
    let created = rule(created, &owned(SYSTEM_PROGRAMS), execute)?;
    let created = rule(created, &owned(SYSTEM_DATA), read)?;
    let created = rule(created, &owned(SYSTEM_SINKS), sink)?;
    let created = rule(created, std::slice::from_ref(&spec.program), execute)?;
    if has_mounts {
        let created = rule(created, &spec.read, execute)?;
        return rule(created, &spec.write, write);
    }
    let both: Vec<PathBuf> = spec.kept.iter().chain(&spec.hidden).cloned().collect();
    let created = rule(created, &without(&spec.read, &spec.hidden), execute)?;
    let created = rule(created, &without(&spec.write, &both), write)?;
    let kept: Vec<PathBuf> =
        spec.kept.iter().filter(|path| spec.write.iter().any(|of| path.starts_with(of))).cloned().collect();
    rule(created, &without(&kept, &spec.hidden), read)
}

/// From here on this process is held by the rules. Where the kernel has no Landlock, by none.
pub(super) fn enforce(rules: RulesetCreated) -> Result<(), RulesetError> {
    rules.restrict_self().map(|_| ())
}

/// `paths` with the folders that hold an exception replaced by what else is in them. Landlock rules
/// can only add: so in such a folder itself nothing can be made then.
fn without(paths: &[PathBuf], exceptions: &[PathBuf]) -> Vec<PathBuf> {
    let exceptions: Vec<&PathBuf> = exceptions.iter().filter(|path| path.exists()).collect();
    let mut found = Vec::new();
    let mut left = paths.to_vec();
    while let Some(path) = left.pop() {
        if exceptions.iter().any(|exception| path.starts_with(exception)) {
            continue;
        }
        if exceptions.iter().any(|exception| exception.starts_with(&path)) {
            // A rule follows a link, and would open what it leads to: wherever a program has put that.
            let is_link = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_symlink());
            let entries = path.read_dir().into_iter().flatten().flatten();
            left.extend(entries.filter(|entry| !is_link(entry)).map(|entry| entry.path()));
        } else {
            found.push(path);
        }
    }
    found
}

fn owned(paths: &[&str]) -> Vec<PathBuf> {
    paths.iter().map(|path| Path::new(path).to_path_buf()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_an_exception_is_replaced_by_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b/c", "b/.pi"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let root = folder.path().to_path_buf();
        std::os::unix::fs::symlink("/etc", root.join("link")).unwrap();
        let mut left = without(std::slice::from_ref(&root), &[root.join("b/.pi")]);
        left.sort();
        assert_eq!(left, [root.join("a"), root.join("b/c")]);
    }

    #[test]
    fn an_exception_that_is_not_there_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        assert_eq!(without(std::slice::from_ref(&root), &[root.join(".pi")]), [root]);
    }
}
