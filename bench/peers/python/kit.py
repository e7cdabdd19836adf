"""What the drivers of the Python peers share; the contract is in bench/README.md. Standard library only."""

import argparse
import asyncio
import json
import os
import struct
import time


def arguments():
    """The command line: a command and its options."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["setup", "enqueue", "paced", "worker"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--n", type=int, default=0)
    parser.add_argument("--bulk", type=int, default=1)
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--slots", type=int, default=16)
    return parser.parse_args()


def payload():
    """What every job carries: when it was submitted, and about 80 bytes of nothing."""
    return {"t": time.time_ns(), "pad": "x" * 80}


_record = (0, -1)


def started(job):
    """Notes that a job starts now, in a file of this process's own."""
    global _record
    pid, file = _record
    if pid != os.getpid():
        path = os.path.join(os.environ["BENCH_OUT"], f"{os.getpid()}.bin")
        file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        _record = (os.getpid(), file)
    os.write(file, struct.pack("<QQ", job["t"], time.time_ns()))


def say(**line):
    """One line of JSON for the orchestrating script."""
    print(json.dumps(line), flush=True)


def batches(n, bulk):
    """The sizes of the calls that submit `n` jobs."""
    return [min(bulk, n - at) for at in range(0, n, bulk)]


def submit(args, one, many=None):
    """Runs `enqueue` or `paced` with blocking calls: `one(payload)`, `many([payload])`."""
    begin = time.perf_counter()
    if args.command == "paced":
        for i in range(args.n):
            time.sleep(max(0.0, begin + i / args.rate - time.perf_counter()))
            one(payload())
    else:
        for size in batches(args.n, args.bulk):
            if size == 1 and args.bulk == 1:
                one(payload())
            else:
                many([payload() for _ in range(size)])
    say(n=args.n, seconds=time.perf_counter() - begin)


async def submit_async(args, one):
    """As `submit`, with coroutines; the peers that have them have no call for many."""
    begin = time.perf_counter()
    for i in range(args.n):
        if args.command == "paced":
            await asyncio.sleep(max(0.0, begin + i / args.rate - time.perf_counter()))
        await one(payload())
    say(n=args.n, seconds=time.perf_counter() - begin)


def become(*command, **environment):
    """Turns this process into the peer's own worker program, found beside this interpreter."""
    import sys

    os.environ.update(environment)
    program = os.path.join(os.path.dirname(sys.executable), command[0])
    here = os.path.dirname(os.path.abspath(__file__))
    os.environ["PYTHONPATH"] = here
    os.chdir(os.environ["BENCH_OUT"])
    os.execv(program, [program, *command[1:]])
