"""The stack of compose-test as its users see it: through the published ports and the program's own commands.

Standard library only. What is looked at from inside, each process' own port, is not published: that goes by docker exec.
"""

import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

COMPOSE = os.environ["COMPOSE"].split()
IMAGE = os.environ["SHOPFLOOR_SERVER_IMAGE"]
OUT = Path(os.environ["OUT"])
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PATIENCE = float(os.environ.get("PATIENCE", "180"))
BEGAN = time.monotonic()

# What runs of ours, and where each shows its metrics.
PROCESSES = {"api": 1, "orchestrator": 2, "worker": 3}
PORTS = {"api": 8000, "orchestrator": 9100, "worker": 9100}

LONG = "import time\nfor n in range(8):\n    print(n, flush=True)\n    time.sleep(1)\n"


def say(text: str) -> None:
    """Says what holds, and when."""
    print(f"  {time.monotonic() - BEGAN:6.1f} s  {text}", flush=True)


def run(*command: str, code: int = 0) -> str:
    """Runs a command that must end with this exit code; its standard output."""
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE * 2)
    if ran.returncode != code:
        sys.exit(f"exit code {ran.returncode} instead of {code}: {' '.join(command)}\n{ran.stdout}\n{ran.stderr}")
    return ran.stdout


def compose(*args: str) -> str:
    """Runs docker compose on the stack."""
    return run(*COMPOSE, *args)


def up(service: str) -> None:
    """Starts again what is missing of a service, and touches nothing else."""
    compose("up", "--detach", "--no-build", "--pull", "never", "--no-recreate", "--no-deps", service)


def until(what: str, look, patience: float = PATIENCE):
    """Looks again and again until there is something."""
    give_up = time.monotonic() + patience
    last = None
    while time.monotonic() < give_up:
        try:
            if (found := look()) is not None:
                return found
        except OSError as error:  # what is being restarted does not answer
            last = error
        time.sleep(0.3)
    sys.exit(f"waited {patience} s in vain until {what}; {last or ''}")


def inside(container: str, port: int, path: str) -> str:
    """What a process answers on a port that is not published; needs nothing in the container but bash."""
    get = f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET {path} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3; cat <&3"
    asked = subprocess.run(["docker", "exec", container, "bash", "-c", get], capture_output=True, text=True, timeout=30)
    if asked.returncode != 0:
        raise ConnectionError(f"{container}: {asked.stderr.strip()}")
    return asked.stdout.partition("\n\n")[2]  # text mode makes every end of line a plain one


class Stack:
    """The stack as its users see it."""

    def __init__(self) -> None:
        self.url = f"http://{self.port('api', 8000)}"
        until("the API is ready", lambda: self.fetch(f"{self.url}/readyz"))
        made = compose("exec", "-T", "api", "shopfloor", "keys", "create", "--local", "--role", "admin",
                       "--name", "compose-test", "--json")
        self.key = json.loads(made)["secret"]
        self.prometheus = f"http://{self.port('prometheus', 9090)}"

    @staticmethod
    def port(service: str, port: int) -> str:
        """Where a published port is to be found."""
        return until(f"{service} is published", lambda: compose("port", service, str(port)).strip() or None)

    @staticmethod
    def fetch(url: str, key: str = "", body: object = None):
        """One request; the JSON of the answer."""
        request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        if key:
            request.add_header("Authorization", f"Bearer {key}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def api(self, path: str, body: object = None):
        """One call of the API."""
        return self.fetch(f"{self.url}/api/v1{path}", self.key, body)

    def cli(self, *args: str, code: int = 0):
        """Runs `shopfloor … --json`."""
        out = run(
            "docker", "run", "--rm", "--network", "host", "--user", f"{os.getuid()}:{os.getgid()}",
            "--read-only", "--volume", f"{EXAMPLES}:/examples:ro", "--volume", f"{OUT}:/out",
            "--env", f"SHOPFLOOR_URL={self.url}", "--env", f"SHOPFLOOR_API_KEY={self.key}", IMAGE, *args, "--json",
            code=code,
        )
        return json.loads(out) if out.strip() else None

    def submit(self, script: str, *args: str, code: int):
        """Submits an example and waits; the task."""
        return self.cli("submit", f"/examples/{script}", *args, "--wait", code=code)

    def hand_in(self, *tasks: dict) -> list[str]:
        """Submits tasks in one request; their ids."""
        return [task["id"] for task in self.api("/tasks/bulk", {"tasks": list(tasks)})["items"]]

    def long_tasks(self, count: int) -> list[str]:
        """Submits tasks that take eight seconds each; their ids."""
        return self.hand_in(*[{"title": "eight seconds", "input": {"code": LONG}}] * count)

    def executions(self, task: str) -> list[dict]:
        """Who ran a task."""
        return self.api(f"/tasks/{task}/results")["executions"]

    def completed(self, task: str) -> dict:
        """Waits for the task's good end; a bad one ends the checks."""

        def look():
            found = self.api(f"/tasks/{task}")
            if found["status"] in ("failed", "cancelled"):
                sys.exit(f"the task came to a bad end: {json.dumps(found, indent=1)}\n{self.executions(task)}")
            return found if found["status"] == "completed" else None

        return until(f"task {task} is completed", look)

    def running(self, tasks: list[str]) -> dict[str, str]:
        """Waits until all of these run at once; the name of the worker of each. A worker's name is its container's."""

        def look():
            active = self.api("/sessions?status=active&limit=100")["items"]
            sessions = {it["task_id"]: it["worker_id"] for it in active}
            if not all(task in sessions for task in tasks):
                return None
            names = {it["id"]: it["name"] for it in self.api("/workers?limit=100")["items"]}
            return {task: names[sessions[task]] for task in tasks}

        return until("all tasks run", look)

    def query(self, expression: str) -> float | None:
        """The value of a Prometheus expression, if it has one."""
        query = urllib.parse.urlencode({"query": expression})
        found = self.fetch(f"{self.prometheus}/api/v1/query?{query}")["data"]["result"]
        return float(found[0]["value"][1]) if found else None

    def targets(self, **expected: int) -> None:
        """Waits until Prometheus has exactly these, all of them up."""

        def look():
            found: dict[str, list[str]] = {}
            for target in self.fetch(f"{self.prometheus}/api/v1/targets?state=active")["data"]["activeTargets"]:
                found.setdefault(target["labels"]["job"], []).append(target["health"])
            return found if found == {job: ["up"] * count for job, count in expected.items()} else None

        until(f"Prometheus sees {expected}", look)
        say(f"Prometheus scrapes {expected}, all up")

    def dispatch(self, mode: str, status: str, patience: float = PATIENCE) -> None:
        """Waits until every process dispatches this way, says so on its own /readyz, and Prometheus has it."""
        for service, count in PROCESSES.items():
            for container in compose("ps", "-q", service).split():

                def look(service=service, container=container):
                    checks = json.loads(inside(container, PORTS[service], "/readyz"))["checks"]
                    found = next(check for check in checks if check["name"] == "dispatch")
                    return True if found["status"] == status else None

                until(f"dispatch of {service} {container} is `{status}`", look, patience)
            labels = f'mode="{mode}",job="{service}"'
            expression = f"count(shopfloor_dispatch_mode{{{labels}}} == 1) == {count}"
            until(expression, lambda expression=expression: self.query(expression))

    def leader(self) -> str:
        """The container of the orchestrator that leads."""

        def look():
            for container in compose("ps", "-q", "orchestrator").split():
                if "\nshopfloor_leader 1\n" in inside(container, PORTS["orchestrator"], "/metrics"):
                    return container
            return None

        return until("one orchestrator leads", look)
