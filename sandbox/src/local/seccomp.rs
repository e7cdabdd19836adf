//! The system-call filter: a deny list of what widens the kernel's attack surface or undoes a limit.
//!
//! A deny list, because the job is any Python program with any native library; the namespaces, the missing capabilities
//! and the limits carry the weight, the filter takes away what they do not cover (new user namespaces would undo the
//! sized file systems and the process limit; io_uring goes around the filter itself).

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;
const RET_ERRNO: u32 = 0x0005_0000;

/// The newest call that the filter knows. Later ones answer "not implemented", which every C library can handle; so do
/// the calls of the x32 ABI, whose numbers start at 2^30.
const LAST_KNOWN: u32 = 466;
/// `clone3` hides its flags from a filter; libraries fall back to `clone` when it is not implemented.
const CLONE3: u32 = 435;

/// Calls that are never allowed: name, number on x86_64, number on aarch64 (-1: there is no such call).
#[rustfmt::skip]
const DENIED: &[(&str, i64, i64)] = &[
    ("unshare", 272, 97), ("setns", 308, 268), ("mount", 165, 40), ("umount2", 166, 39), ("pivot_root", 155, 41),
    ("chroot", 161, 51), ("open_tree", 428, 428), ("move_mount", 429, 429), ("fsopen", 430, 430),
    ("fsconfig", 431, 431), ("fsmount", 432, 432), ("fspick", 433, 433), ("mount_setattr", 442, 442),
    ("statmount", 457, 457), ("listmount", 458, 458), ("ptrace", 101, 117), ("process_vm_readv", 310, 270),
    ("process_vm_writev", 311, 271), ("process_madvise", 440, 440), ("pidfd_getfd", 438, 438), ("kcmp", 312, 272),
    ("io_uring_setup", 425, 425), ("io_uring_enter", 426, 426), ("io_uring_register", 427, 427),
    ("add_key", 248, 217), ("request_key", 249, 218), ("keyctl", 250, 219), ("bpf", 321, 280),
    ("perf_event_open", 298, 241), ("userfaultfd", 323, 282), ("kexec_load", 246, 104),
    ("kexec_file_load", 320, 294), ("create_module", 174, -1), ("init_module", 175, 105), ("finit_module", 313, 273),
    ("delete_module", 176, 106), ("reboot", 169, 142), ("swapon", 167, 224), ("swapoff", 168, 225), ("acct", 163, 89),
    ("quotactl", 179, 60), ("quotactl_fd", 443, 443), ("name_to_handle_at", 303, 264),
    ("open_by_handle_at", 304, 265), ("syslog", 103, 116), ("lookup_dcookie", 212, 18), ("nfsservctl", 180, 42),
    ("vhangup", 153, 58), ("ioperm", 173, -1), ("iopl", 172, -1), ("modify_ldt", 154, -1), ("uselib", 134, -1),
    ("ustat", 136, -1), ("sysfs", 139, -1), ("_sysctl", 156, -1), ("settimeofday", 164, 170),
    ("clock_settime", 227, 112), ("clock_adjtime", 305, 266), ("adjtimex", 159, 171), ("sethostname", 170, 161),
    ("setdomainname", 171, 162), ("fanotify_init", 300, 262), ("fanotify_mark", 301, 263), ("move_pages", 279, 239),
    ("migrate_pages", 256, 238), ("memfd_secret", 447, 447),
];

/// `clone` flags that make a namespace.
const CLONE_NEW: [u64; 7] = [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];
const S_IFMT: u64 = 0o170_000;
const DEVICE_KINDS: [u64; 2] = [0o020_000, 0o060_000];
/// Terminal requests that put characters into another session's input.
const TERMINAL_INJECTION: [u64; 2] = [0x5412, 0x541C];
const SOCKET_FAMILIES: [u64; 3] = [1, 2, 10];
const PERSONALITIES: [u64; 2] = [0, 0xffff_ffff];

/// Compiles the filter for the machine this runs on, in the form that `bwrap --seccomp` reads.
pub(super) fn compile() -> Result<Vec<u8>, BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let program = program(arch)?;
    Ok(program.iter().flat_map(bytes).collect())
}

fn program(arch: TargetArch) -> Result<BpfProgram, BackendError> {
    let filter = SeccompFilter::new(rules(&arch)?, SeccompAction::Allow, SeccompAction::Errno(EPERM), arch)?;
    let compiled: BpfProgram = filter.try_into()?;
    Ok(prefix().into_iter().chain(compiled).collect())
}

/// Comes first; its jumps are relative, so the compiled filter stays as it is.
fn prefix() -> [sock_filter; 4] {
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_GREATER: u16 = 0x25;
    const JUMP_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    [
        sock_filter { code: LOAD_NUMBER, jt: 0, jf: 0, k: 0 },
        sock_filter { code: JUMP_GREATER, jt: 1, jf: 0, k: LAST_KNOWN },
        sock_filter { code: JUMP_EQUAL, jt: 0, jf: 1, k: CLONE3 },
        sock_filter { code: RETURN, jt: 0, jf: 0, k: RET_ERRNO | ENOSYS },
    ]
}

fn rules(arch: &TargetArch) -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let pick = |x86_64: i64, aarch64: i64| if matches!(arch, TargetArch::x86_64) { x86_64 } else { aarch64 };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        DENIED.iter().map(|(_, x86_64, aarch64)| (pick(*x86_64, *aarch64), Vec::new())).collect();
    rules.insert(pick(56, 220), each(0, &CLONE_NEW, |flag| (SeccompCmpOp::MaskedEq(flag), flag))?);
    rules.insert(pick(133, -1), each(1, &DEVICE_KINDS, |kind| (SeccompCmpOp::MaskedEq(S_IFMT), kind))?);
    rules.insert(pick(259, 33), each(2, &DEVICE_KINDS, |kind| (SeccompCmpOp::MaskedEq(S_IFMT), kind))?);
    rules.insert(pick(16, 29), each(1, &TERMINAL_INJECTION, |request| (SeccompCmpOp::Eq, request))?);
    rules.insert(pick(41, 198), vec![none_of(0, &SOCKET_FAMILIES)?]);
    rules.insert(pick(135, 92), vec![none_of(0, &PERSONALITIES)?]);
    rules.remove(&-1);
    Ok(rules)
}

/// One rule per value: any of them matches.
fn each(
    argument: u8,
    values: &[u64],
    compare: impl Fn(u64) -> (SeccompCmpOp, u64),
) -> Result<Vec<SeccompRule>, BackendError> {
    let rule = |value: &u64| {
        let (op, value) = compare(*value);
        SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, op, value)?])
    };
    values.iter().map(rule).collect()
}

/// Matches when the argument is none of the values.
fn none_of(argument: u8, values: &[u64]) -> Result<SeccompRule, BackendError> {
    let differs = |value: &u64| SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, *value);
    SeccompRule::new(values.iter().map(differs).collect::<Result<_, _>>()?)
}

fn bytes(instruction: &sock_filter) -> [u8; 8] {
    let [code_0, code_1] = instruction.code.to_ne_bytes();
    let [k_0, k_1, k_2, k_3] = instruction.k.to_ne_bytes();
    [code_0, code_1, instruction.jt, instruction.jf, k_0, k_1, k_2, k_3]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel would, for the few instructions that it consists of.
    fn judge(program: &[sock_filter], arch: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let mut data = Vec::new();
        data.extend(number.to_le_bytes());
        data.extend(arch.to_le_bytes());
        data.extend(0_u64.to_le_bytes());
        arguments.iter().for_each(|argument| data.extend(argument.to_le_bytes()));
        let (mut at, mut accumulator) = (0, 0_u32);
        loop {
            let step = &program[at];
            at += 1;
            let jump = |taken: bool| usize::from(if taken { step.jt } else { step.jf });
            match step.code {
                0x20 => {
                    let offset = step.k as usize;
                    accumulator = u32::from_le_bytes(data[offset..offset + 4].try_into().unwrap());
                }
                0x54 => accumulator &= step.k,
                0x05 => at += step.k as usize,
                0x15 => at += jump(accumulator == step.k),
                0x25 => at += jump(accumulator > step.k),
                0x35 => at += jump(accumulator >= step.k),
                0x06 => return step.k,
                other => panic!("unknown instruction {other:#x}"),
            }
        }
    }

    const ALLOW: u32 = 0x7fff_0000;
    const DENY: u32 = RET_ERRNO | EPERM;
    const ABSENT: u32 = RET_ERRNO | ENOSYS;
    const X86_64: u32 = 0xc000_003e;
    const AARCH64: u32 = 0xc000_00b7;

    fn call(number: u32, arguments: &[u64]) -> u32 {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        judge(&program(TargetArch::x86_64).unwrap(), X86_64, number, all)
    }

    #[test]
    fn denies_the_list_on_both_architectures() {
        for (name, x86_64, aarch64) in DENIED {
            for (target, arch, number) in
                [(TargetArch::x86_64, X86_64, x86_64), (TargetArch::aarch64, AARCH64, aarch64)]
            {
                let Ok(number) = u32::try_from(*number) else { continue };
                assert_eq!(judge(&program(target).unwrap(), arch, number, [0; 6]), DENY, "{name}");
            }
        }
    }

    #[test]
    fn looks_at_the_arguments() {
        assert_eq!(call(56, &[0x0100_0011]), ALLOW, "fork");
        assert_eq!(call(56, &[0x003d_0f00]), ALLOW, "a thread");
        for flag in CLONE_NEW {
            assert_eq!(call(56, &[flag | 17]), DENY, "clone {flag:#x}");
        }
        assert_eq!(call(41, &[1, 1]), ALLOW, "a Unix socket");
        assert_eq!(call(41, &[2, 1]), ALLOW, "an Internet socket, in a network without interfaces");
        assert_eq!(call(41, &[16, 3]), DENY, "netlink");
        assert_eq!(call(41, &[17, 3]), DENY, "packet");
        assert_eq!(call(41, &[40, 1]), DENY, "vsock");
        assert_eq!(call(16, &[0, 0x5412]), DENY, "TIOCSTI");
        assert_eq!(call(16, &[0, 0xffff_ffff_0000_5412]), DENY, "TIOCSTI with high bits");
        assert_eq!(call(16, &[0, 0x5401]), ALLOW, "TCGETS");
        assert_eq!(call(133, &[0, 0o020_666]), DENY, "a character device");
        assert_eq!(call(133, &[0, 0o010_666]), ALLOW, "a FIFO");
        assert_eq!(call(135, &[0x0040_0000]), DENY, "a personality");
        assert_eq!(call(135, &[0xffff_ffff]), ALLOW, "asking for the personality");
    }

    #[test]
    fn what_it_does_not_know_is_absent_or_deadly() {
        assert_eq!(call(CLONE3, &[]), ABSENT);
        assert_eq!(call(LAST_KNOWN + 1, &[]), ABSENT);
        assert_eq!(call(0x4000_0000 + 101, &[]), ABSENT, "ptrace of the x32 ABI");
        assert_eq!(call(1, &[1]), ALLOW, "write");
        let i386 = judge(&program(TargetArch::x86_64).unwrap(), 0x4000_0003, 26, [0; 6]);
        assert_eq!(i386, 0x8000_0000, "another architecture's calls kill the process");
    }
}
