//! Landlock: which paths a program may reach.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, Scope, path_beneath_rules,
};

use super::granted::{Granted, Opened};
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
pub(super) fn rules(spec: &Spec, granted: &Granted, has_mounts: bool) -> Result<RulesetCreated, RulesetError> {
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
    let mut created = rule(created, std::slice::from_ref(&spec.program), execute)?;
    if has_mounts {
        allow(&mut created, &granted.read, &[], execute)?;
        allow(&mut created, &granted.write, &[], write)?;
        return Ok(created);
    }
    let hidden: Vec<&Opened> = granted.hidden.iter().collect();
    let kept_and_hidden: Vec<&Opened> = granted.kept.iter().chain(&granted.hidden).collect();
    allow(&mut created, &granted.read, &hidden, execute)?;
    allow(&mut created, &granted.write, &kept_and_hidden, write)?;
    allow(&mut created, &granted.kept, &hidden, read)?;
    Ok(created)
}

/// From here on this process is held by the rules. Where the kernel has no Landlock, by none.
pub(super) fn enforce(rules: RulesetCreated) -> Result<(), RulesetError> {
    rules.restrict_self().map(|_| ())
}

/// Allow `access` to `folders`, but not to `exceptions` in them. By what was opened, not by paths: whatever
/// stands at those now is not looked at.
fn allow(
    created: &mut RulesetCreated,
    folders: &[Opened],
    exceptions: &[&Opened],
    access: BitFlags<AccessFs>,
) -> Result<(), RulesetError> {
    let mut add = |found: &Opened| (&mut *created).add_rule(PathBeneath::new(found, access)).map(|_| ());
    folders.iter().try_for_each(|folder| without(folder, exceptions, &mut add))
}

/// Call `found` with `folder`, or, if it holds an exception, with what else is in it. Landlock rules
/// can only add: so in such a folder itself nothing can be made then.
fn without<E>(
    folder: &Opened,
    exceptions: &[&Opened],
    found: &mut impl FnMut(&Opened) -> Result<(), E>,
) -> Result<(), E> {
    // Compared as themselves too: it may have been given another name while this looks.
    if exceptions.iter().any(|exception| folder.path.starts_with(&exception.path) || exception.is(folder)) {
        return Ok(());
    }
    if !exceptions.iter().any(|exception| exception.path.starts_with(&folder.path)) {
        return found(folder);
    }
    for child in folder.children() {
        without(&child, exceptions, found)?;
    }
    Ok(())
}

fn owned(paths: &[&str]) -> Vec<PathBuf> {
    paths.iter().map(|path| Path::new(path).to_path_buf()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of `root` without `exceptions`, of which those that are not there are not opened.
    fn left(root: &Path, exceptions: &[PathBuf]) -> Vec<PathBuf> {
        let open = |path: &Path| Opened::open(path).unwrap();
        let exceptions: Vec<Opened> = exceptions.iter().filter_map(|path| open(path)).collect();
        let mut left = Vec::new();
        let mut found = |opened: &Opened| -> Result<(), ()> {
            left.push(opened.path.clone());
            Ok(())
        };
        without(&open(root).unwrap(), &exceptions.iter().collect::<Vec<_>>(), &mut found).unwrap();
        left.sort();
        left
    }

    #[test]
    fn a_folder_with_an_exception_is_replaced_by_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["a", "b/c", "b/.pi"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        std::os::unix::fs::symlink("/etc", root.join("link")).unwrap();
        assert_eq!(left(&root, &[root.join("b/.pi")]), [root.join("a"), root.join("b/c")]);
    }

    #[test]
    fn an_exception_that_is_not_there_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        assert_eq!(left(&root, &[root.join(".pi")]), [root]);
    }

    #[test]
    fn an_exception_is_none_of_the_rest_under_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::write(root.join("pi.toml"), "").unwrap();
        std::fs::hard_link(root.join("pi.toml"), root.join("other")).unwrap();
        assert!(left(&root, &[root.join("pi.toml")]).is_empty());
    }
}
