"""Looks at the sandbox from inside and says what it sees, as JSON."""

import importlib.metadata
import json
import os
import socket

status = dict(line.split(":\t", 1) for line in open("/proc/self/status") if ":\t" in line)
versions = {}
for name in ("ruff", "bandit", "numpy", "pandas", "matplotlib", "pillow"):
    try:
        versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        versions[name] = None


def writable(path):
    try:
        with open(path, "w"):
            return True
    except OSError:
        return False


print(
    json.dumps(
        {
            "python": "{}.{}.{}".format(*os.sys.version_info[:3]),
            "processes": [name for name in os.listdir("/proc") if name.isdigit()],
            "interfaces": [line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]],
            "hostname": socket.gethostname(),
            "seccomp": int(status["Seccomp"]),
            "no_new_privileges": int(status["NoNewPrivs"]),
            "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
            "user": os.getuid(),
            "home": os.path.exists("/home") or os.path.exists("/root"),
            "writable": [path for path in ("/usr/x", "/etc/x", "/opt/toolchain/x", "/inputs/x", "/x") if writable(path)],
            "versions": versions,
        }
    )
)
