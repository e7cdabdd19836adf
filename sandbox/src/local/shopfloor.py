"""What a job may use of Shopfloor. Part of the sandbox; `import shopfloor` works in every Python job.

    column = shopfloor.ask("Which column?", options=["a", "b"], default="a")
    (shopfloor.artifacts / "result.csv").write_text(...)
"""

import json
import os
import pathlib
import sys
import threading

inputs = pathlib.Path(os.environ.get("SHOPFLOOR_INPUTS", "/inputs"))
artifacts = pathlib.Path(os.environ.get("SHOPFLOOR_ARTIFACTS", "/work/artifacts"))

_ANSWERS = pathlib.Path("/opt/shopfloor/answers.json")
_QUESTION = pathlib.Path("/work/.shopfloor/question.json")
_ASKED = 86
_MOST_BYTES = 65536

_lock = threading.Lock()
_asked = 0


def ask(prompt, options=None, default=None, deadline_seconds=None):
    """Puts a question to a person and returns the answer.

    Until there is an answer the run ends here, without cleaning up, and the script is started again, from its first
    line, once somebody answers. So ask early, and ask the same questions in the same order each time.
    """
    global _asked
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError("prompt must be a text that is not empty")
    if deadline_seconds is not None and (isinstance(deadline_seconds, bool) or not deadline_seconds > 0):
        raise ValueError("deadline_seconds must be a number above 0")
    question = json.dumps(
        {
            "prompt": prompt,
            "options": list(options or []),
            "default": default,
            "deadline_seconds": None if deadline_seconds is None else max(1, int(deadline_seconds)),
        },
        allow_nan=False,
    )
    if len(question) > _MOST_BYTES:
        raise ValueError(f"a question may have {_MOST_BYTES} bytes as JSON, this one has {len(question)}")
    with _lock:
        answers = json.loads(_ANSWERS.read_text()) if _ANSWERS.exists() else []
        if _asked < len(answers):
            _asked += 1
            return answers[_asked - 1]
        _QUESTION.parent.mkdir(exist_ok=True)
        _QUESTION.write_text(question)
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except Exception:  # a broken stream must not keep the question back
                pass
        os._exit(_ASKED)
