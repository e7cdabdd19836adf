//! What a job cannot see, reach or do.

use std::{
    io::ErrorKind,
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
};

use shopfloor_domain::sandbox::Ending;
use uuid::Uuid;

use crate::kit::*;

#[tokio::test]
async fn the_network_is_empty() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = Uuid::now_v7().to_string();
    let abstract_listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let source = "import socket, sys\n\
        def attempt(family, address):\n\
        \x20   try: socket.socket(family, socket.SOCK_STREAM).connect(address); print('connected to', address)\n\
        \x20   except OSError as error: print(type(error).__name__)\n\
        attempt(socket.AF_INET, ('127.0.0.1', int(sys.argv[1])))\n\
        attempt(socket.AF_INET, ('1.1.1.1', 53))\n\
        attempt(socket.AF_UNIX, '\\0' + sys.argv[2])\n\
        try: print(socket.getaddrinfo('example.org', 80))\nexcept OSError as error: print(type(error).__name__)";
    let port = listener.local_addr().unwrap().port().to_string();
    let heard = said(with_args(source, &[&port, &name])).await;
    assert_eq!(heard, "ConnectionRefusedError\nOSError\nConnectionRefusedError\ngaierror");
    listener.set_nonblocking(true).unwrap();
    abstract_listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(abstract_listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn the_hosts_files_are_not_there() {
    let source = "import os\n\
        print(sorted(os.listdir('/')))\n\
        print(sorted(os.listdir('/etc')))\n\
        print(os.listdir('/usr/local') if not os.path.realpath('/opt/toolchain/bin/python').startswith('/usr/local') else [])\n\
        print(open('/etc/passwd').read().count('\\n'), os.path.exists('/proc/1/root/root'), os.listdir('/dev/shm'))\n\
        for path in ('/etc/shadow', '/root', '/home', '/var', '/run', '/sys', '/proc/kcore', '/dev/mem', '/dev/kmsg', '/dev/sda', '/dev/vda'):\n\
        \x20   try: os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read(1); print('read', path)\n\
        \x20   except OSError: pass";
    let outcome = run(python(source)).await;
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{outcome:#?}");
    for folder in ["home", "root", "var", "run", "sys", "mnt", "srv", "boot"] {
        assert!(!lines[0].contains(&format!("'{folder}'")), "{folder} in {}", lines[0]);
    }
    let known = ["alternatives", "fonts", "group", "hosts", "ld.so.cache", "nsswitch.conf", "passwd"];
    let etc: Vec<&str> = lines[1].trim_matches(['[', ']']).split(", ").map(|it| it.trim_matches('\'')).collect();
    assert!(etc.iter().all(|it| known.contains(it)), "{etc:?}");
    assert_eq!(lines[2..], ["[]", "1 False []"]);
}

#[tokio::test]
async fn the_hosts_processes_environment_and_descriptors_are_not_there() {
    let source = "import os, socket\n\
        print(sorted(name for name in os.listdir('/proc') if name.isdigit()), socket.gethostname())\n\
        fds = [os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{n}')]\n\
        print({fd for fd in fds if not fd.startswith('pipe:')})\n\
        print(sum(fd.startswith('pipe:') for fd in fds), os.getuid(), os.getgid(), os.getgroups() in ([], [65534]), os.getsid(0) != 0)\n\
        print(sorted(os.environ))\n\
        print(sorted(os.readlink(f'/proc/1/fd/{n}') for n in os.listdir('/proc/1/fd')))";
    let outcome = run(python(source)).await;
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines[0], "['1', '2'] sandbox", "{outcome:#?}");
    assert_eq!(lines[1], "{'/dev/null'}");
    assert_eq!(lines[2], "2 65534 65534 True True");
    let expected = "['HOME', 'LANG', 'MALLOC_ARENA_MAX', 'MKL_NUM_THREADS', 'MPLBACKEND', 'MPLCONFIGDIR', 'OMP_NUM_THREADS', \
        'OMP_WAIT_POLICY', 'OPENBLAS_NUM_THREADS', 'PATH', 'PWD', 'PYTHONDONTWRITEBYTECODE', 'PYTHONPATH', \
        'PYTHONUNBUFFERED', 'RUFF_NO_CACHE', 'SHOPFLOOR_ANSWERS', 'SHOPFLOOR_ARTIFACTS', 'SHOPFLOOR_INPUTS', 'TMPDIR', \
        'TZ', 'USER']";
    assert_eq!(lines[3], expected);
    assert_eq!(lines[4].matches("pipe:").count(), 2, "{}", lines[4]);
    assert_eq!(lines[4].matches("/dev/null").count(), lines[4].matches('\'').count() / 2 - 2, "{}", lines[4]);
}

#[tokio::test]
async fn dangerous_calls_are_denied() {
    let source = "import ctypes, errno, os, platform\n\
        libc = ctypes.CDLL(None, use_errno=True)\n\
        x86 = platform.machine() == 'x86_64'\n\
        def attempt(name, *arguments):\n\
        \x20   ctypes.set_errno(0)\n\
        \x20   result = getattr(libc, name)(*arguments)\n\
        \x20   print(name, arguments[0] if name == 'syscall' else '', errno.errorcode.get(ctypes.get_errno()) if result == -1 else 'worked')\n\
        attempt('unshare', 0x10000000)\n\
        attempt('unshare', 0x20000)\n\
        attempt('mount', b'none', b'/tmp', b'tmpfs', 0, None)\n\
        attempt('umount2', b'/tmp', 0)\n\
        attempt('setns', 0, 0)\n\
        attempt('chroot', b'/tmp')\n\
        attempt('ptrace', 16, 1, 0, 0)\n\
        attempt('process_vm_readv', 1, None, 0, None, 0, 0)\n\
        attempt('mknod', b'/tmp/null', 0o20666, 0x103)\n\
        attempt('swapon', b'/tmp/x', 0)\n\
        attempt('reboot', 0x1234567)\n\
        attempt('sethostname', b'x', 1)\n\
        attempt('personality', 0x40000)\n\
        attempt('socket', 16, 3, 0)\n\
        attempt('socket', 17, 3, 0)\n\
        attempt('socket', 40, 1, 0)\n\
        attempt('ioctl', 0, 0x5412, b'x')\n\
        attempt('syscall', 425, 8, 0)\n\
        attempt('syscall', 435, 0, 0)\n\
        for x86_64, aarch64 in ((250, 219), (248, 217), (321, 280), (298, 241), (323, 282), (304, 265), (246, 104), (103, 116)):\n\
        \x20   attempt('syscall', x86_64 if x86 else aarch64, 0, 0, 0, 0, 0)\n\
        if x86: attempt('syscall', 56, 0x10000011, 0, 0, 0, 0); attempt('syscall', 0x40000000 + 101, 0, 0)\n\
        else: attempt('syscall', 220, 0x10000011, 0, 0, 0, 0)";
    let said = said(python(source)).await;
    let not_eperm: Vec<&str> = said.lines().filter(|line| !line.ends_with("EPERM")).collect();
    let absent = if cfg!(target_arch = "x86_64") {
        vec!["syscall 435 ENOSYS", "syscall 1073741925 ENOSYS"]
    } else {
        vec!["syscall 435 ENOSYS"]
    };
    assert_eq!(not_eperm, absent, "{said}");
}

#[tokio::test]
async fn no_privileges_and_no_way_to_get_them() {
    let source = "import os\n\
        status = dict(line.rstrip('\\n').split(':\\t', 1) for line in open('/proc/self/status') if ':\\t' in line)\n\
        print([status[key] for key in ('NoNewPrivs', 'Seccomp', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb')])\n\
        print({line.split()[3] for line in open('/proc/self/mountinfo') if ' - ext4 ' in line and 'nosuid' not in line})\n\
        for call in (lambda: os.setuid(0), lambda: os.kill(1, 9), lambda: open('/proc/sys/kernel/hostname', 'w'), lambda: open('/proc/sysrq-trigger', 'w')):\n\
        \x20   try: call(); print('worked')\n\
        \x20   except OSError: pass\n\
        print('alive')";
    let zero = "'0000000000000000'";
    let expected = format!("['1', '2', {zero}, {zero}, {zero}, {zero}, {zero}]\nset()\nworked\nalive");
    // A signal to process 1 of a namespace is accepted and has no effect.
    assert_eq!(said(python(source)).await, expected);
}

#[tokio::test]
async fn process_1_taken_over_gains_nothing() {
    let source = "import os, time\n\
        try:\n\
        \x20   memory = open('/proc/1/mem', 'r+b', buffering=0)\n\
        \x20   for line in open('/proc/1/maps'):\n\
        \x20       start, end = (int(part, 16) for part in line.split()[0].split('-'))\n\
        \x20       if ' rw' in line:\n\
        \x20           memory.seek(start); memory.write(b'A' * (end - start))\n\
        except OSError as error: print(error.errno)\n\
        open('artifacts/x', 'w').write('1')";
    let outcome = run(python(source)).await;
    assert_ne!(outcome.ending, Ending::SandboxCrash, "{outcome:#?}");
}
