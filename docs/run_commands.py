"""Run every command that a page prints, as printed and in its order, in a fresh clone:

    python -m docs.run_commands README.md docs/tutorial.md

A block of commands is a fence marked `bash`. One that cannot be run everywhere has `<!-- not run: why -->` above it. A
server is asked whether it is well, and then stopped. Whatever fails ends the run.
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
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"(?:<!-- not run: (?P<why>.+?) -->\n)?^```bash\n(?P<script>.*?)^```$", re.MULTILINE | re.DOTALL)
SERVER = "nephoscope serve"
HEALTH = "http://127.0.0.1:8000/api/health"
PATIENCE = 120  # seconds until a server is well


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    script: str
    why_not: str | None
    """Why it is not run, if it is not."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", help="from the root of the repository")
    parser.add_argument(
        "--skip", action="append", default=[], metavar="TEXT", help="leave out blocks that contain this"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "nephoscope"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        for page in given.pages:
            for block in read_blocks(page, (clone / page).read_text("utf-8")):
                why = block.why_not or next((f"skipped: {text}" for text in given.skip if text in block.script), None)
                print(f"\n── {block.page}:{block.line}{f' (not run: {why})' if why else ''}", flush=True)
                print(block.script, flush=True)
                if not why:
                    run(block, clone)


def read_blocks(page: str, text: str) -> Iterator[Block]:
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start("script")) + 1
        yield Block(page, line, found["script"], found["why"])


def run(block: Block, folder: Path) -> None:
    begin = time.monotonic()
    if SERVER in block.script:
        ask_server(block, folder)
    else:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block.script], cwd=folder)
        if done.returncode:
            sys.exit(f"{block.page}:{block.line}: exit code {done.returncode}")
    print(f"── {time.monotonic() - begin:.0f} s", flush=True)


def ask_server(block: Block, folder: Path) -> None:
    server = subprocess.Popen(["bash", "-euo", "pipefail", "-c", block.script], cwd=folder, start_new_session=True)
    try:
        for _ in range(PATIENCE):
            if server.poll() is not None:
                sys.exit(f"{block.page}:{block.line}: the server ended with {server.returncode}")
            try:
                urllib.request.urlopen(HEALTH, timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(1)
        sys.exit(f"{block.page}:{block.line}: the server was not well within {PATIENCE} s")
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.wait(30)


if __name__ == "__main__":
    main()
