"""A Shopfloor worker in plain Python: counts words, and asks a person how many to list. See docs/remote-workers.md."""
import collections, json, os, signal, sys, threading, time, urllib.error, urllib.request

URL = os.environ.get("SHOPFLOOR_URL", "http://127.0.0.1:8000") + "/api/v1"
HEADERS = {"Authorization": "Bearer " + os.environ["SHOPFLOOR_API_KEY"], "Content-Type": "application/json"}
held, lost, stop = [], {}, threading.Event()  # held: the claims in hand; lost: why a claim must be dropped

class Stale(Exception): pass  # the order is somebody else's by now: write nothing more about it

def call(path, body):
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), HEADERS)
    try:
        with urllib.request.urlopen(request, timeout=40) as answer: return json.load(answer)
    except urllib.error.HTTPError as error:
        problem = json.load(error)
        raise (Stale if problem["code"] == "stale_epoch" else RuntimeError)(problem["detail"]) from None

def beat():  # says every 2 s that this worker lives and still holds its orders; a lease lasts 8 s
    while True:
        try:
            if call(f"/workers/{me}/heartbeat", {})["removed_at"]: stop.set()
            leases = call("/queue/renew", {"worker_id": me, "held": list(held)})["items"]
            lost.update(((it["order_id"], it["epoch"]), it["outcome"]) for it in leases if it["outcome"] != "held")
        except (OSError, RuntimeError) as error:
            print("cannot renew, trying again:", error, file=sys.stderr)
        time.sleep(2)

def work(order):  # the report that ends this claim: its endpoint and its body
    given, answers = order["task"]["input"], {asked["name"]: asked["answer"] for asked in order["answers"]}
    if answers.get("top") is None:
        return "park", {"question": {"name": "top", "prompt": "How many words?", "options": [1, 3, 10], "default": 3}}
    for _ in range(int(10 * given.get("seconds", 0))):  # stands for work that takes its time
        why = lost.get((order["id"], order["epoch"]))
        if why or stop.is_set():
            return "release", {"cancelled": why == "cancel_requested"}
        time.sleep(0.1)
    words = collections.Counter(given["text"].lower().split())
    return "complete", {"result": {"words": sum(words.values()), "top": words.most_common(answers["top"])}}

def on_signal(*_):
    stop.set()
    if not held: sys.exit(0)  # nothing in hand: no need to wait for the claim

me = call("/workers", {"name": "word counter", "capabilities": ["external", "word-count"]})["id"]
signal.signal(signal.SIGTERM, on_signal)
threading.Thread(target=beat, daemon=True).start()
while not stop.is_set():
    try:
        for order in call("/queue/claim", {"worker_id": me, "wait_seconds": 20})["orders"]:
            held.append(order["fence"])
            try:
                verdict, body = work(order)
            except (KeyError, TypeError, AttributeError) as error:  # the input is wrong: trying again would not help
                verdict, body = "fail", {"error": repr(error)}
            call("/queue/" + verdict, {**order["fence"], **body})
            print(verdict, order["task"]["title"], flush=True)
    except (OSError, RuntimeError, Stale) as error:
        print("going on after:", error, file=sys.stderr)
        time.sleep(1)
    held.clear()
