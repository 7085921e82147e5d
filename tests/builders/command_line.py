"""`nephoscope` as people run it."""

import subprocess
import sys


def run_command(*arguments: object, command: str = "predict") -> subprocess.CompletedProcess[str]:
    """In its own process: the libraries of some engines conflict with each other."""
    line = [sys.executable, "-m", "nephoscope", command, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True)
