"""The critic must not let this run: it hands a text from outside to a shell (bandit B602, severity HIGH)."""

import subprocess
import sys

subprocess.run("ls " + " ".join(sys.argv[1:]), shell=True, check=False)
