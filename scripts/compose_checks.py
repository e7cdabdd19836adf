"""What compose-test checks about a running stack. Standard library only; started by compose-test.sh.

Everything goes in through the published port, as a user would do it: through the program's own commands, run from the
server image, and through HTTP where a program would.
"""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

COMPOSE = os.environ["COMPOSE"].split()
IMAGE = os.environ["SHOPFLOOR_SERVER_IMAGE"]
OUT = Path(os.environ["OUT"])
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PATIENCE = float(os.environ.get("PATIENCE", "180"))
BEGAN = time.monotonic()

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


def until(what: str, look):
    """Looks again and again until there is something."""
    give_up = time.monotonic() + PATIENCE
    last = None
    while time.monotonic() < give_up:
        try:
            if (found := look()) is not None:
                return found
        except OSError as error:  # what is being restarted does not answer
            last = error
        time.sleep(0.3)
    sys.exit(f"waited {PATIENCE} s in vain until {what}; {last or ''}")


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

    def long_tasks(self, count: int) -> list[str]:
        """Submits tasks that take eight seconds each; their ids."""
        task = {"title": "eight seconds", "input": {"code": LONG}}
        submitted = self.api("/tasks/bulk", {"tasks": [task] * count})
        return [task["id"] for task in submitted["items"]]

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
        """Waits until all of these run; the name of the worker of each. A worker's name is its container's."""

        def look():
            sessions = {it["task_id"]: it["worker_id"] for it in self.api("/sessions?limit=100")["items"]}
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


def examples(stack: Stack) -> None:
    """The five examples, each to its expected end."""
    task = stack.submit("analysis.py", "--input", "/examples/data/sunspots.csv", code=0)
    assert task["result"]["sandbox_level"] == "local", task
    stack.cli("artifacts", "get", task["id"], "--all", "-o", "/out")
    chart = (OUT / "sunspots.png").read_bytes()
    assert chart.startswith(b"\x89PNG") and len(chart) > 10_000, len(chart)
    say(f"analysis.py: completed, a chart of {len(chart)} bytes, sandbox level `local`")

    task = stack.submit("ask_column.py", "--input", "/examples/data/elnino.csv", code=5)
    question = stack.cli("inbox")["items"][0]
    assert question["task_id"] == task["id"], question
    stack.cli("answer", question["id"], "MAR")
    done = stack.completed(task["id"])
    assert done["result"]["stdout"].startswith("MAR: 61 values"), done
    say(f"ask_column.py: asked “{question['prompt']}”, answered, completed")

    task = stack.submit("blocked.py", code=1)
    assert [it["rule"] for it in task["result"]["findings"] if it["blocking"]] == ["B602"], task
    say("blocked.py: blocked by the critic")
    for script, args, ending in [("endless.py", ["--wall", "3"], "timed_out"), ("flood.py", [], "output_limit")]:
        task = stack.submit(script, *args, code=1)
        assert task["result"]["ending"] == ending, task
        say(f"{script}: {ending}")


def closed() -> None:
    """Nothing runs as root, has a capability, or can write to its own files."""
    form = "{{.Name}} user={{.Config.User}} closed={{.HostConfig.ReadonlyRootfs}} drop={{.HostConfig.CapDrop}} " \
        "add={{.HostConfig.CapAdd}} privileged={{.HostConfig.Privileged}}"
    containers = run("docker", "inspect", "--format", form, *compose("ps", "-aq").split()).splitlines()
    for line in containers:
        assert line.endswith("closed=true drop=[ALL] add=[] privileged=false"), line
        assert line.split()[1] not in ("user=", "user=0", "user=root"), line
    say(f"{len(containers)} containers: none is root, has a capability or a writable file system")


def spread(stack: Stack) -> None:
    """Three tasks, three workers."""
    tasks = stack.long_tasks(3)
    workers = set(stack.running(tasks).values())
    assert len(workers) == 3, workers
    for task in tasks:
        stack.completed(task)
    assert len({it["worker_id"] for task in tasks for it in stack.executions(task)}) == 3
    say("3 tasks ran on 3 workers")


def kill(stack: Stack, service: str) -> None:
    """Kills one process of the stack while three tasks run; nothing may be lost."""
    tasks = stack.long_tasks(3)
    workers = stack.running(tasks)
    if service == "worker":
        victim = workers[tasks[0]]
    elif service == "orchestrator":
        victim = leader(stack)
    else:
        victim = compose("ps", "-q", service).split()[0]
    run("docker", "kill", "--signal", "KILL", victim)
    if service not in ("worker", "orchestrator"):
        time.sleep(3)  # long enough to be missed
        compose("up", "--detach", "--no-build", "--pull", "never", "--no-recreate", "--no-deps", service)
    for task in tasks:
        stack.completed(task)
    ends = {task: [it["status"] for it in stack.executions(task)] for task in tasks}
    assert all(found.count("completed") == 1 for found in ends.values()), ends
    if service == "worker":
        assert ends[tasks[0]] == ["lost", "completed"], ends
        until("the expired lease is counted", lambda: stack.query("sum(shopfloor_lease_expired_total) > 0"))
    if service == "orchestrator":
        until("another one leads", lambda: stack.query("sum(shopfloor_leader) == 1"))
    compose("up", "--detach", "--no-build", "--pull", "never", "--no-recreate", "--no-deps", service)
    lost = sum(found.count("lost") for found in ends.values())
    say(f"killed {service}: all tasks completed, {lost} of them on a second worker")


def leader(stack: Stack) -> str:
    """The container of the orchestrator that leads."""

    def look():
        for container in compose("ps", "-q", "orchestrator").split():
            text = run("docker", "exec", container, "bash", "-c",
                       "exec 3<>/dev/tcp/127.0.0.1/9100; printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3; cat <&3")
            if "\nshopfloor_leader 1\n" in text:
                return container
        return None

    return until("one orchestrator leads", look)


def metrics(stack: Stack) -> None:
    """What is scraped moves with what happens."""
    expressions = {
        "queue": 'sum(shopfloor_queue_depth{state="ready"}) >= 0 and on() shopfloor_queue_oldest_age_seconds >= 0',
        "orders": "sum(shopfloor_orders_enqueued_total) > 0 and on() sum(shopfloor_orders_finished_total) > 0",
        "claims": "sum(shopfloor_claim_seconds_count) > 0 and on() sum(shopfloor_order_wait_seconds_count) > 0",
        "workers": 'sum(shopfloor_workers{status="idle"}) == 3',
        "slots": 'sum(shopfloor_worker_slots{state="free"}) == 3',
        "lease": "sum(shopfloor_lease_expired_total) >= 0",
        "sandbox": "sum(shopfloor_sandbox_runs_total) > 0",
        "dispatch": "sum(shopfloor_dispatch_mode) == 1",
        "leader": "sum(shopfloor_leader) == 1",
    }
    for name, expression in expressions.items():
        until(f"{name}: {expression}", lambda expression=expression: stack.query(expression))
    say(f"Prometheus has the metrics of {', '.join(expressions)}")


def sessions(stack: Stack) -> None:
    """A session that is too old ends, and that is counted."""
    os.environ["SESSION_MAX_AGE"] = "4s"
    compose("up", "--detach", "--no-build", "--pull", "never", "--no-deps", "orchestrator")
    del os.environ["SESSION_MAX_AGE"]
    (task,) = stack.long_tasks(1)
    until("a reaped session is counted", lambda: stack.query("sum(shopfloor_sessions_reaped_total) > 0"))
    compose("up", "--detach", "--no-build", "--pull", "never", "--no-deps", "orchestrator")
    stack.completed(task)
    say("a session over its age was ended and counted; its task completed")


def scale(stack: Stack) -> None:
    """More workers are there, and are found, without a word in any file."""
    for count in (5, 3):
        compose("up", "--detach", "--no-build", "--pull", "never", "--no-recreate", "--scale", f"worker={count}")
        stack.targets(api=1, orchestrator=2, worker=count)


def main() -> None:
    """All checks, in order."""
    OUT.mkdir(parents=True, exist_ok=True)
    stack = Stack()
    say(f"the stack is ready on {stack.url}")
    stack.targets(api=1, orchestrator=2, worker=3)
    closed()
    examples(stack)
    spread(stack)
    metrics(stack)
    for service in ("worker", "orchestrator", "redis", "postgres", "api"):
        kill(stack, service)
        stack.targets(api=1, orchestrator=2, worker=3)
    sessions(stack)
    scale(stack)


main()
