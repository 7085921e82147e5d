"""The page of a finished run, made if it is missing, and opened for people."""

import subprocess
import sys
import webbrowser
from pathlib import Path

from nephoscope.artifacts import Artifacts
from nephoscope.errors import UserError


def open_report(run: Path, *, show: bool) -> Path:
    """A run's folder of artifacts → its page."""
    page = Artifacts(run).report.page
    if not page.is_file():
        make_report(run)
    if show:
        webbrowser.open(page.resolve().as_uri())
    return page


def make_report(run: Path) -> None:
    if run.resolve() != Artifacts().root.resolve():
        raise UserError(f"{run}: no page there; `python -m stages.report` in the folder of that run makes it")
    done = subprocess.run([sys.executable, "-m", "stages.report"], capture_output=True, text=True)
    if done.returncode:
        told = done.stderr.strip().splitlines() or ["it was killed"]
        raise UserError(f"no page could be made: {told[-1]}")
