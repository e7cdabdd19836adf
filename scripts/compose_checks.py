"""What compose-test checks about a running stack. Standard library only; started by compose-test.sh.

Everything goes in through the published port, as a user would do it: through the program's own commands, run from the
server image, and through HTTP where a program would.
"""

import json
import os
import time

from compose_stack import OUT, PROCESSES, Stack, compose, run, say, until, up

# The examples in the order of a wave, and each one's end. The first two are under way when a kill comes: one takes its
# twelve seconds, the other writes a chart.
ENDS = {
    "endless.py": "failed",
    "analysis.py": "completed",
    "ask_column.py": "completed",
    "blocked.py": "failed",
    "flood.py": "failed",
}
FINAL = ("completed", "failed", "dead", "cancelled")


def examples(stack: Stack) -> dict[str, dict]:
    """The five examples, each to its expected end; what it takes to submit each of them again."""
    task = stack.submit("analysis.py", "--input", "/examples/data/sunspots.csv", code=0)
    assert task["result"]["sandbox_level"] == "local", task
    stack.cli("artifacts", "get", task["id"], "--all", "-o", "/out")
    chart = (OUT / "sunspots.png").read_bytes()
    assert chart.startswith(b"\x89PNG") and len(chart) > 10_000, len(chart)
    say(f"analysis.py: completed, a chart of {len(chart)} bytes, sandbox level `local`")
    inputs = {"analysis.py": task["input"]}

    task = stack.submit("ask_column.py", "--input", "/examples/data/elnino.csv", code=5)
    question = stack.cli("inbox")["items"][0]
    assert question["task_id"] == task["id"], question
    stack.cli("answer", question["id"], "MAR")
    done = stack.completed(task["id"])
    assert done["result"]["stdout"].startswith("MAR: 61 values"), done
    say(f"ask_column.py: asked “{question['prompt']}”, answered, completed")
    inputs["ask_column.py"] = task["input"]

    task = stack.submit("blocked.py", code=1)
    assert [it["rule"] for it in task["result"]["findings"] if it["blocking"]] == ["B602"], task
    say("blocked.py: blocked by the critic")
    inputs["blocked.py"] = task["input"]
    for script, args, ending in [("endless.py", ["--wall", "3"], "timed_out"), ("flood.py", [], "output_limit")]:
        task = stack.submit(script, *args, code=1)
        assert task["result"]["ending"] == ending, task
        say(f"{script}: {ending}")
        inputs[script] = task["input"]
    inputs["endless.py"]["limits"]["wall_seconds"] = 12
    return {name: {"title": name, "input": inputs[name]} for name in ENDS}


def closed() -> None:
    """Nothing runs as root, has a capability, or can write to its own files."""
    form = "{{.Name}} user={{.Config.User}} closed={{.HostConfig.ReadonlyRootfs}} drop={{.HostConfig.CapDrop}} " \
        "add={{.HostConfig.CapAdd}} privileged={{.HostConfig.Privileged}}"
    containers = run("docker", "inspect", "--format", form, *compose("ps", "-aq").split()).splitlines()
    for line in containers:
        assert line.endswith("closed=true drop=[ALL] add=[] privileged=false"), line
        assert line.split()[1] not in ("user=", "user=0", "user=root"), line
    say(f"{len(containers)} containers: none is root, has a capability or a writable file system")


def limits() -> None:
    """Each container has the memory, CPU and processes that compose.yml gives it, by Docker's word and by the kernel's."""
    services = json.loads(compose("config", "--format", "json"))["services"]
    # Version 2 of cgroups, or version 1.
    ask = "cd /sys/fs/cgroup; if [ -e memory.max ]; then cat memory.max pids.max cpu.max; else " \
        "cat memory/memory.limit_in_bytes pids/pids.max cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us; fi"
    containers = json.loads(run("docker", "inspect", *compose("ps", "-aq").split()))
    for found in containers:
        service = found["Config"]["Labels"]["com.docker.compose.service"]
        given = services[service]["deploy"]["resources"]["limits"]
        wanted = [int(given["memory"]), int(given["pids"]), float(given["cpus"])]
        host = found["HostConfig"]
        docker = [host["Memory"], host["PidsLimit"], host["NanoCpus"] / 1e9]
        assert docker == wanted, (service, wanted, docker)
        if found["State"]["Running"]:
            memory, pids, quota, period = map(int, run("docker", "exec", found["Id"], "sh", "-c", ask).split())
            assert [memory, pids, quota / period] == wanted, (service, wanted, memory, pids, quota, period)
    assert {it["Config"]["Labels"]["com.docker.compose.service"] for it in containers} == set(services), services.keys()
    say(f"{len(containers)} containers: limits of memory, CPU and processes are in force")


def healthy() -> None:
    """Every container that stays has a health check, and passes it."""

    def look():
        states = {it["Name"]: it["State"] for it in json.loads(run("docker", "inspect", *compose("ps", "-q").split()))}
        return len(states) if all(it.get("Health", {}).get("Status") == "healthy" for it in states.values()) else None

    say(f"{until('all containers are healthy', look)} containers are healthy by their own checks")


def spread(stack: Stack) -> None:
    """Three tasks, three workers."""
    tasks = stack.long_tasks(3)
    workers = set(stack.running(tasks).values())
    assert len(workers) == 3, workers
    for task in tasks:
        stack.completed(task)
    assert len({it["worker_id"] for task in tasks for it in stack.executions(task)}) == 3
    say("3 tasks ran on 3 workers")


def settled(stack: Stack, tasks: dict[str, str]) -> dict[str, list[str]]:
    """Waits until all these are over, answering what they ask. By the log each was over once, and as it should be; and one
    execution brought it there, whatever became of others. How the executions of each ended."""

    def look():
        for question in stack.api("/questions?status=open&limit=100")["items"]:
            if question["task_id"] in tasks.values():
                stack.api(f"/questions/{question['id']}/answer", {"answer": "MAR"})
        open_still = [it for it in tasks.values() if stack.api(f"/tasks/{it}")["status"] not in FINAL]
        return None if open_still else True

    until("all tasks are over", look)
    ends = {}
    for name, task in tasks.items():
        log = stack.api(f"/tasks/{task}/events?kind=order.status&limit=500")["items"]
        moves = [it["payload"]["to"] for it in log]
        assert [it for it in moves if it in FINAL] == [ENDS[name]] and moves[-1] == ENDS[name], (name, moves)
        ends[name] = [it["status"] for it in stack.executions(task)]
        assert ends[name].count(ENDS[name]) == 1, (name, ends[name])
        assert set(ends[name]) <= {ENDS[name], "lost", "parked", "released"}, (name, ends[name])
    return ends


def kill(stack: Stack, again: dict[str, dict], service: str) -> None:
    """Kills processes of one kind while the examples run; nothing may be lost, and nothing done twice."""
    tasks = dict(zip(again, stack.hand_in(*again.values())))
    workers = stack.running([tasks["endless.py"], tasks["analysis.py"]])
    if service == "worker":
        victims = sorted(set(workers.values()))
        assert len(victims) == 2, workers
    elif service == "orchestrator":
        victims = [stack.leader()]
    else:
        victims = compose("ps", "-q", service).split()
    run("docker", "kill", "--signal", "KILL", *victims)
    killed = time.monotonic()
    if service == "orchestrator":
        heir = until("another one leads", lambda: found if (found := stack.leader()) not in victims else None)
        assert heir not in victims
        say(f"another orchestrator leads {time.monotonic() - killed:.1f} s after the leader was killed")
    elif service != "worker":
        time.sleep(3)  # long enough to be missed
        up(service)
    ends = settled(stack, tasks)
    if service == "worker":
        assert ends["endless.py"] == ["lost", "failed"], ends
        until("the expired lease is counted", lambda: stack.query("sum(shopfloor_lease_expired_total) > 0"))
    until("exactly one leads", lambda: stack.query("sum(shopfloor_leader) == 1"))
    up(service)
    lost = sum(found.count("lost") for found in ends.values())
    say(f"killed {len(victims)} {service} during the examples: each came to its end once, {lost} after losing a worker")


def outage(stack: Stack, again: dict[str, dict]) -> None:
    """Without Redis work goes on over SQL, and every process says so; with it again, dispatch goes through it again."""
    fills = stack.query("sum(shopfloor_queue_fills_total)")
    tasks = dict(zip(again, stack.hand_in(*again.values())))
    stack.running([tasks["endless.py"], tasks["analysis.py"]])
    killed = time.monotonic()  # before, for Docker takes a moment to say that it is done
    compose("kill", "redis")

    def degraded():
        checks = {it["name"]: it for it in stack.fetch(f"{stack.url}/readyz")["checks"]}
        return checks["dispatch"]["detail"] if checks["dispatch"]["status"] == "degraded" else None

    why = until("/readyz says that dispatch is degraded", degraded, patience=15)
    say(f"killed redis: within {time.monotonic() - killed:.1f} s /readyz says “{why}”")
    (late,) = stack.hand_in({"title": "without Redis", "input": {"code": "print('over SQL')"}})
    stack.dispatch("sql", "degraded")
    say("every process dispatches over SQL and says so")
    assert stack.completed(late)["result"]["stdout"] == "over SQL\n"
    settled(stack, tasks)
    assert degraded() and not compose("ps", "-q", "--status", "running", "redis").strip(), "Redis came back by itself"
    say("what ran, and what was submitted meanwhile, came to its end without Redis")

    up("redis")
    began = time.monotonic()
    stack.dispatch("redis", "redis")
    until("the filling of Redis is counted", lambda: stack.query(f"sum(shopfloor_queue_fills_total) > {fills or 0}"))
    stack.completed(stack.hand_in({"title": "with Redis", "input": {"code": "print('by Redis')"}})[0])
    say(f"redis is back: filled from the record, used by every process {time.monotonic() - began:.1f} s after its start")


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
        stack.targets(**{**PROCESSES, "worker": count})


def main() -> None:
    """All checks, in order."""
    OUT.mkdir(parents=True, exist_ok=True)
    stack = Stack()
    say(f"the stack is ready on {stack.url}")
    stack.targets(**PROCESSES)
    healthy()
    closed()
    limits()
    stack.dispatch("redis", "redis")
    say("every process dispatches through Redis")
    again = examples(stack)
    spread(stack)
    metrics(stack)
    for service in ("worker", "orchestrator", "api", "postgres"):
        kill(stack, again, service)
        stack.targets(**PROCESSES)
    outage(stack, again)
    sessions(stack)
    scale(stack)


if __name__ == "__main__":
    main()
