//! Limits that hold whatever a job tries.

use std::time::Duration;

use shopfloor_domain::sandbox::Ending;

use crate::kit::*;

#[tokio::test]
async fn memory_of_one_process() {
    let hog = "held = []\nwhile True: held.append(bytearray(8 << 20))";
    let outcome = run(limited(hog, |limits| limits.memory_bytes = 1024 * MIB)).await;
    assert_eq!(outcome.ending, Ending::OutOfMemory, "{outcome:#?}");
    assert_eq!(outcome.detail.as_deref(), Some("The code wanted more than 1024 MiB of memory."));
    let small = run(limited(hog, |limits| limits.memory_bytes = 128 * MIB)).await;
    assert_eq!(small.ending, Ending::OutOfMemory, "{small:#?}");
}

#[tokio::test]
async fn memory_of_all_processes_together() {
    let source = "import os, time\n\
                  for n in range(20):\n\
                  \x20   if os.fork() == 0:\n        held = b'x' * (40 << 20); time.sleep(1000)\n\
                  for n in range(20): os.wait()\n\
                  raise SystemExit(3)";
    let outcome = run(limited(source, |limits| limits.memory_bytes = 256 * MIB)).await;
    assert_eq!(outcome.ending, Ending::OutOfMemory, "{outcome:#?}");
}

#[tokio::test]
async fn memory_in_files() {
    let source = "import os\nfor n in range(8):\n    with open(f'/work/{n}', 'wb') as out: out.write(b'x' * (32 << 20))\n\
                  while True: pass";
    let outcome = run(limited(source, |limits| limits.memory_bytes = 128 * MIB)).await;
    assert_eq!(outcome.ending, Ending::OutOfMemory, "{outcome:#?}");
}

#[tokio::test]
async fn every_writable_place_is_bounded() {
    let source = "import os\n\
        def fill(folder):\n\
        \x20   total = 0\n\
        \x20   try:\n\
        \x20       with open(folder + '/fill', 'wb') as out:\n\
        \x20           while True: total += out.write(b'x' * 65536); out.flush()\n\
        \x20   except OSError as error:\n\
        \x20       return error.errno, total >> 20\n\
        print(fill('/work'), fill('/tmp')[0], fill('/dev/shm'))\n\
        os.remove('/dev/shm/fill')\n\
        for place in ('/', '/dev', '/inputs', '/opt', '/etc', '/usr', '/proc', '/opt/shopfloor', '/usr/local', '/proc/sys'):\n\
        \x20   try: open(place + '/x', 'w'); print('wrote to', place)\n\
        \x20   except OSError: pass";
    let job = limited(source, |limits| {
        limits.work_bytes = 8 * MIB;
        limits.file_bytes = 1024 * MIB;
    });
    let outcome = run(job).await;
    assert_eq!(outcome.stdout, "(28, 8) 28 (28, 64)\n", "{outcome:#?}");
    let file = "try:\n    open('x', 'wb').write(b'x' * (3 << 20))\nexcept OSError as error:\n    print(error.errno)";
    assert_eq!(said(limited(file, |limits| limits.file_bytes = MIB)).await, "27");
}

#[tokio::test]
async fn processes_and_threads() {
    let forks = "import os, signal\nn = 0\n\
                 try:\n    while n < 2000:\n        if os.fork() == 0: signal.pause()\n        n += 1\n\
                 except OSError as error: print(error.errno, n)";
    assert_eq!(said(limited(forks, |limits| limits.processes = 20)).await, "11 19");
    let threads = "import threading\nn = 0\nstop = threading.Event()\n\
                   try:\n    while n < 2000:\n        threading.Thread(target=stop.wait, daemon=True).start(); n += 1\n\
                   except RuntimeError: print(n)";
    assert_eq!(said(limited(threads, |limits| limits.processes = 20)).await, "19");
}

#[tokio::test]
async fn a_fork_bomb_is_contained() {
    let bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass";
    let outcome = run(limited(bomb, |limits| limits.wall = Duration::from_secs(2))).await;
    assert_eq!(outcome.ending, Ending::TimedOut, "{outcome:#?}");
    assert_eq!(said(python("print('well')")).await, "well");
}

#[tokio::test]
async fn open_files_and_core_files() {
    let source = "import resource, os\n\
                  print([resource.getrlimit(which) for which in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)])\n\
                  held = []\n\
                  try:\n    while True: held.append(os.open('/dev/null', 0))\nexcept OSError as error: print(error.errno, len(held) <= 64)\n\
                  try: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))\nexcept (ValueError, OSError): print('no more')";
    let job = limited(source, |limits| limits.open_files = 64);
    assert_eq!(said(job).await, "[(64, 64), (0, 0)]\n24 True\nno more");
}

#[tokio::test]
async fn files_without_content_cost_too() {
    let source = "n = 0\nwhile True:\n    open(f'/tmp/{n}', 'w').close(); n += 1";
    let job = limited(source, |limits| {
        limits.memory_bytes = 256 * MIB;
        limits.wall = Duration::from_secs(60);
    });
    let outcome = run(job).await;
    assert_ne!(outcome.ending, Ending::Ok, "{outcome:#?}");
    assert_ne!(outcome.ending, Ending::TimedOut, "{outcome:#?}");
}
