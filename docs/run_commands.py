"""Run every command of a page, in order, in a fresh clone:

    python -m docs.run_commands README.md docs/tutorial.md

Commands are fences marked `bash`. The comment `<!-- not run: reason -->` above a fence excludes it. A server is stopped
once it is healthy. The first failing command ends the run. `--after TEXT COMMAND` adds a check of our own:

    python -m docs.run_commands --after 'dvc repro' 'python -m docs.results --check' README.md
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"(?:<!-- not run: (?P<reason>.+?) -->\n)?^```bash\n(?P<script>.*?)^```$", re.MULTILINE | re.DOTALL)
SERVER = "nephoscope serve"
HEALTH = "http://127.0.0.1:8000/api/health"
TIMEOUT = 120  # seconds until the server must be healthy


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    script: str
    reason: str | None
    """why it is not run; None: it is run"""


def main() -> None:
    arguments = parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "nephoscope"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        for block in plan(arguments, clone):
            reason = f" (not run: {block.reason})" if block.reason else ""
            print(f"\n── {block.page}:{block.line}{reason}", flush=True)
            print(block.script, flush=True)
            if not block.reason:
                run(block, clone)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("pages", nargs="+", help="paths relative to the root of the repository")
    options.add_argument(
        "--skip", action="append", default=[], metavar="TEXT", help="skip blocks that contain this text"
    )
    options.add_argument(
        "--after",
        action="append",
        nargs=2,
        default=[],
        metavar=("TEXT", "COMMAND"),
        help="run COMMAND behind the first block that contains TEXT and is run",
    )
    return options


def plan(arguments: argparse.Namespace, root: Path) -> list[Block]:
    """All blocks of the pages in order, with the commands of `--after` in their places."""
    planned, waiting = [], [tuple(pair) for pair in arguments.after]
    for page in arguments.pages:
        for block in read_blocks(page, (root / page).read_text("utf-8")):
            skipped = (f"skipped: {text}" for text in arguments.skip if text in block.script)
            reason = block.reason or next(skipped, None)
            planned.append(replace(block, reason=reason))
            if reason is None:
                due = [pair for pair in waiting if pair[0] in block.script]
                planned += [replace(block, script=f"{command}\n") for _, command in due]
                waiting = [pair for pair in waiting if pair not in due]
    if waiting:
        sys.exit(f"--after: no block that is run contains {waiting[0][0]!r}")
    return planned


def read_blocks(page: str, text: str) -> Iterator[Block]:
    """A page and its Markdown → its blocks of commands, in order."""
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start("script")) + 1
        yield Block(page, line, match["script"], match["reason"])


def run(block: Block, folder: Path) -> None:
    start = time.monotonic()
    if SERVER in block.script:
        check_server(block, folder)
    else:
        process = subprocess.run(["bash", "-euo", "pipefail", "-c", block.script], cwd=folder)
        if process.returncode:
            sys.exit(f"{block.page}:{block.line}: exit code {process.returncode}")
    print(f"── {time.monotonic() - start:.0f} s", flush=True)


def check_server(block: Block, folder: Path) -> None:
    server = subprocess.Popen(["bash", "-euo", "pipefail", "-c", block.script], cwd=folder, start_new_session=True)
    try:
        for _ in range(TIMEOUT):
            if server.poll() is not None:
                sys.exit(f"{block.page}:{block.line}: the server ended with {server.returncode}")
            try:
                urllib.request.urlopen(HEALTH, timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(1)
        sys.exit(f"{block.page}:{block.line}: the server was not healthy within {TIMEOUT} s")
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.wait(30)


if __name__ == "__main__":
    main()
