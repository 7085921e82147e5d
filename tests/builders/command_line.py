"""`nephoscope` as people run it."""

import subprocess
import sys


def run_command(*arguments: object, command: str = "predict") -> subprocess.CompletedProcess[str]:
    """In a process of its own, as people run it: engines bring libraries that do not all get on with each other."""
    whole = [sys.executable, "-c", "from nephoscope.cli.commands import main; main()", command, *map(str, arguments)]
    return subprocess.run(whole, capture_output=True, text=True)
