//! seccomp: system calls that no confined program needs, and that have been the way out of others.
//!
//! A list of what is denied: programs differ too much for a list of what is allowed, and the paths are Landlock's.

use std::collections::BTreeMap;

use libc::{
    SYS_accept, SYS_acct, SYS_add_key, SYS_adjtimex, SYS_bpf, SYS_chroot, SYS_clock_adjtime, SYS_clock_settime,
    SYS_clone, SYS_clone3, SYS_delete_module, SYS_fanotify_init, SYS_fchmod, SYS_fchmodat, SYS_fchown, SYS_fchownat,
    SYS_finit_module, SYS_fremovexattr, SYS_fsconfig, SYS_fsetxattr, SYS_fsmount, SYS_fsopen, SYS_fspick,
    SYS_init_module, SYS_io_uring_enter, SYS_io_uring_register, SYS_io_uring_setup, SYS_ioctl, SYS_kcmp,
    SYS_kexec_file_load, SYS_kexec_load, SYS_keyctl, SYS_lremovexattr, SYS_lsetxattr, SYS_memfd_create,
    SYS_memfd_secret, SYS_mknodat, SYS_mount, SYS_mount_setattr, SYS_move_mount, SYS_mq_open, SYS_msgget,
    SYS_name_to_handle_at, SYS_open_by_handle_at, SYS_open_tree, SYS_openat, SYS_openat2, SYS_perf_event_open,
    SYS_pidfd_getfd, SYS_pivot_root, SYS_process_madvise, SYS_process_vm_readv, SYS_process_vm_writev, SYS_ptrace,
    SYS_quotactl, SYS_quotactl_fd, SYS_reboot, SYS_removexattr, SYS_request_key, SYS_semget, SYS_setdomainname,
    SYS_sethostname, SYS_setns, SYS_settimeofday, SYS_setxattr, SYS_shmat, SYS_shmget, SYS_socket, SYS_socketpair,
    SYS_swapoff, SYS_swapon, SYS_syslog, SYS_umount2, SYS_unshare, SYS_userfaultfd, SYS_utimensat, SYS_vhangup,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

/// What the filters depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowed {
    pub network: bool,
    /// Changing modes, owners, times and attributes: only where the mounts keep that to the granted folders.
    pub attributes: bool,
    /// Memory that is no process's own: only where a cgroup counts it.
    pub memory_files: bool,
}

/// Not in every version of the C library's headers; the numbers are the same on all architectures.
const SYS_FCHMODAT2: i64 = 452;
const SYS_SETXATTRAT: i64 = 463;
const SYS_REMOVEXATTRAT: i64 = 466;
const SYS_OPEN_TREE_ATTR: i64 = 467;
const SYS_FILE_SETATTR: i64 = 469;

/// The kernel's own objects, other processes, mounts, clocks, keys, and memory that outlives its maker.
const DENIED: &[i64] = &[
    SYS_acct,
    SYS_add_key,
    SYS_adjtimex,
    SYS_bpf,
    SYS_chroot,
    SYS_clock_adjtime,
    SYS_clock_settime,
    SYS_delete_module,
    SYS_fanotify_init,
    SYS_finit_module,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fsopen,
    SYS_fspick,
    SYS_init_module,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_io_uring_setup,
    SYS_kcmp,
    SYS_kexec_file_load,
    SYS_kexec_load,
    SYS_keyctl,
    SYS_memfd_secret,
    SYS_mount,
    SYS_mount_setattr,
    SYS_move_mount,
    SYS_mq_open,
    SYS_msgget,
    SYS_name_to_handle_at,
    SYS_open_by_handle_at,
    SYS_open_tree,
    SYS_perf_event_open,
    SYS_pidfd_getfd,
    SYS_pivot_root,
    SYS_process_madvise,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_ptrace,
    SYS_quotactl,
    SYS_quotactl_fd,
    SYS_reboot,
    SYS_request_key,
    SYS_semget,
    SYS_setdomainname,
    SYS_sethostname,
    SYS_setns,
    SYS_settimeofday,
    SYS_shmat,
    SYS_shmget,
    SYS_swapoff,
    SYS_swapon,
    SYS_syslog,
    SYS_umount2,
    SYS_unshare,
    SYS_userfaultfd,
    SYS_vhangup,
    SYS_OPEN_TREE_ATTR,
];
#[cfg(target_arch = "x86_64")]
const DENIED_HERE: &[i64] = &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_uselib];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_HERE: &[i64] = &[];

/// What Landlock does not know of files.
const ATTRIBUTES: &[i64] = &[
    SYS_fchmod,
    SYS_fchmodat,
    SYS_FCHMODAT2,
    SYS_fchown,
    SYS_fchownat,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_fsetxattr,
    SYS_SETXATTRAT,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_fremovexattr,
    SYS_REMOVEXATTRAT,
    SYS_FILE_SETATTR,
    SYS_utimensat,
];
#[cfg(target_arch = "x86_64")]
const ATTRIBUTES_HERE: &[i64] =
    &[libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat];
#[cfg(not(target_arch = "x86_64"))]
const ATTRIBUTES_HERE: &[i64] = &[];
/// The same through a descriptor that is only read from: `FS_IOC_SETFLAGS` and `FS_IOC_FSSETXATTR` (immutable,
/// append-only, project), and `FS_IOC_ENABLE_VERITY` (read-only for good). The numbers are those of 64 bit.
const ATTRIBUTE_REQUESTS: &[u64] = &[0x4008_6602, 0x401c_5820, 0x4080_6685];

/// Calls that give a file its mode: the argument that holds it, and the one with the flags where the
/// mode counts only for a file that is made.
const MODES: &[(i64, u8, Option<u8>)] = &[
    (SYS_fchmod, 1, None),
    (SYS_fchmodat, 2, None),
    (SYS_FCHMODAT2, 2, None),
    (SYS_mknodat, 2, None),
    (SYS_openat, 3, Some(2)),
];
#[cfg(target_arch = "x86_64")]
const MODES_HERE: &[(i64, u8, Option<u8>)] =
    &[(libc::SYS_chmod, 1, None), (libc::SYS_creat, 1, None), (libc::SYS_mknod, 1, None), (libc::SYS_open, 2, Some(1))];
#[cfg(not(target_arch = "x86_64"))]
const MODES_HERE: &[(i64, u8, Option<u8>)] = &[];
/// The bit of `O_TMPFILE` that is its own.
const TEMPORARY: i32 = libc::O_TMPFILE & !libc::O_DIRECTORY;

/// New namespaces: within a user namespace this user would be root, and much of the kernel open to it.
const NAMESPACE_FLAGS: &[i32] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// The filters, compiled: while this process may still allocate.
pub(super) fn filters(allowed: Allowed) -> Result<Vec<BpfProgram>, seccompiler::BackendError> {
    let mut denied: Rules = DENIED.iter().chain(DENIED_HERE).map(|call| (*call, Vec::new())).collect();
    if !allowed.attributes {
        denied.extend(ATTRIBUTES.iter().chain(ATTRIBUTES_HERE).map(|call| (*call, Vec::new())));
        denied.insert(SYS_ioctl, attribute_rules()?);
    }
    if !allowed.memory_files {
        denied.insert(SYS_memfd_create, Vec::new());
    }
    for (call, mode, flags) in MODES.iter().chain(MODES_HERE) {
        // Where all changes of modes are denied already, they stay so.
        denied.entry(*call).or_insert(special_mode_rules(*mode, *flags)?);
    }
    denied.insert(SYS_clone, namespace_rules()?);
    let programs = vec![
        // The arguments of `clone3` are in memory, where a filter cannot look. The C library falls
        // back to `clone` when it is not there.
        // Those of `openat2` as well: who uses it falls back to `openat`.
        program(BTreeMap::from([(SYS_clone3, Vec::new()), (SYS_openat2, Vec::new())]), libc::ENOSYS)?,
        program(socket_rules(allowed.network)?, libc::EACCES)?,
        program(denied, libc::EPERM)?,
    ];
    Ok(foreign_numbers().into_iter().chain(programs).collect())
}

/// From here on this process is held by the filters. Where the kernel has none, by none.
pub(super) fn enforce(filters: &[BpfProgram]) -> Result<(), seccompiler::Error> {
    filters.iter().try_for_each(|filter| apply_filter(filter))
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn program(rules: Rules, errno: i32) -> Result<BpfProgram, seccompiler::BackendError> {
    let action = SeccompAction::Errno(errno.unsigned_abs());
    // A program of another architecture (32 bit) has other numbers: the filter ends it.
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, std::env::consts::ARCH.try_into()?)?;
    filter.try_into()
}

/// A file that runs as its owner, whoever starts it: where the host is root, a program that made one in
/// a granted folder would have left the way to root to everybody on the machine.
fn special_mode_rules(mode: u8, flags: Option<u8>) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let has = |argument: u8, bits: u32| {
        let bits = u64::from(bits);
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(bits), bits)
    };
    let mut rules = Vec::new();
    for bit in [libc::S_ISUID, libc::S_ISGID] {
        let Some(flags) = flags else {
            rules.push(SeccompRule::new(vec![has(mode, bit)?])?);
            continue;
        };
        for made in [libc::O_CREAT, TEMPORARY] {
            rules.push(SeccompRule::new(vec![has(mode, bit)?, has(flags, made.unsigned_abs())?])?);
        }
    }
    Ok(rules)
}

fn attribute_rules() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    ATTRIBUTE_REQUESTS
        .iter()
        .map(|request| {
            // The kernel reads 32 bits of it: what a program has set above them must not hide it.
            let is_it = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, *request)?;
            SeccompRule::new(vec![is_it])
        })
        .collect()
}

fn namespace_rules() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    NAMESPACE_FLAGS
        .iter()
        .map(|flag| {
            let flag = u64::from(flag.unsigned_abs());
            let is_set = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag)?;
            SeccompRule::new(vec![is_set])
        })
        .collect()
}

/// Sockets: none without a grant, and never a Unix socket that can be connected: behind those of this
/// machine (docker, systemd, D-Bus) are services that do whatever they are asked.
fn socket_rules(network: bool) -> Result<Rules, seccompiler::BackendError> {
    let is_not = |argument, value: i32| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, u64::from(value.unsigned_abs()))
    };
    let is = |argument, value: i32| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, u64::from(value.unsigned_abs()))
    };
    let pairs = vec![SeccompRule::new(vec![is_not(0, libc::AF_UNIX)?])?];
    if !network {
        return Ok(BTreeMap::from([(SYS_socket, Vec::new()), (SYS_socketpair, pairs), (SYS_accept, Vec::new())]));
    }
    let sockets = vec![
        SeccompRule::new(vec![is_not(0, libc::AF_INET)?, is_not(0, libc::AF_INET6)?, is_not(0, libc::AF_NETLINK)?])?,
        // Of netlink, what name look-up and `ss` ask: routes and socket statistics.
        SeccompRule::new(vec![
            is(0, libc::AF_NETLINK)?,
            is_not(2, libc::NETLINK_ROUTE)?,
            is_not(2, libc::NETLINK_SOCK_DIAG)?,
        ])?,
    ];
    Ok(BTreeMap::from([(SYS_socket, sockets), (SYS_socketpair, pairs)]))
}

/// x86-64 kernels may answer to a second set of numbers (x32), which a list of numbers misses.
#[cfg(target_arch = "x86_64")]
fn foreign_numbers() -> Option<BpfProgram> {
    use seccompiler::sock_filter;
    const X32_BIT: u32 = 0x4000_0000;
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const EPERM: u32 = 0x0005_0001;
    Some(vec![
        sock_filter { code: LOAD_NUMBER, jt: 0, jf: 0, k: 0 },
        sock_filter { code: JUMP_IF_AT_LEAST, jt: 0, jf: 1, k: X32_BIT },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: EPERM },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: ALLOW },
    ])
}
#[cfg(not(target_arch = "x86_64"))]
fn foreign_numbers() -> Option<BpfProgram> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_compiles() {
        for bits in 0..8 {
            let allowed = Allowed { network: bits & 1 != 0, attributes: bits & 2 != 0, memory_files: bits & 4 != 0 };
            assert!(filters(allowed).unwrap().iter().all(|program| !program.is_empty() && program.len() < 4096));
        }
    }
}
