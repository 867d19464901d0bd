//! Landlock: which paths a program may reach.

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
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld.so.preload", "/etc/passwd", "/etc/group",
    "/etc/nsswitch.conf", "/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/gai.conf", "/etc/hostname",
    "/etc/localtime", "/etc/timezone", "/etc/services", "/etc/protocols", "/etc/os-release", "/etc/debian_version",
    "/etc/alternatives", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/pki/tls/certs", "/etc/pki/ca-trust", "/etc/ca-certificates",
    "/etc/mime.types", "/etc/magic", "/etc/locale.alias", "/etc/terminfo", "/etc/inputrc", "/etc/mke2fs.conf",
    "/etc/python3", "/etc/python3.11", "/etc/perl", "/proc", "/sys/devices/system", "/sys/kernel/mm/transparent_hugepage", "/dev/random",
    "/dev/urandom",
];
/// Harmless to write.
const SYSTEM_SINKS: &[&str] = &["/dev/null", "/dev/zero", "/dev/full"];

/// The newest that is known here. Rights that the kernel does not know are left out.
const NEWEST: ABI = ABI::V10;

/// The rules for one run, to be enforced by [`enforce`]: made while this process may still open every path.
pub(super) fn rules(spec: &Spec) -> Result<RulesetCreated, RulesetError> {
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
    let created = rule(created, &spec.read, execute)?;
    rule(created, &spec.write, write)
}

/// From here on this process is held by the rules. Where the kernel has no Landlock, by none.
pub(super) fn enforce(rules: RulesetCreated) -> Result<(), RulesetError> {
    rules.restrict_self().map(|_| ())
}

fn owned(paths: &[&str]) -> Vec<PathBuf> {
    paths.iter().map(|path| Path::new(path).to_path_buf()).collect()
}
