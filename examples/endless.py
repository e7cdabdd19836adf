"""Never ends by itself: the sandbox's wall clock must end it. Submit it with `--wall 3`."""

import time

beats = 0
while True:
    beats += 1
    print(f"still here after {beats} beats", flush=True)
    time.sleep(0.5)
