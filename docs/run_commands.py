"""Run every command of a page, in order, in a fresh clone:

    python -m docs.run_commands README.md docs/tutorial.md

Commands are fences marked `bash`. The comment `<!-- not run: reason -->` above a fence excludes it. A server is stopped
once it is healthy. The first failing command ends the run.
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", help="paths relative to the root of the repository")
    parser.add_argument(
        "--skip", action="append", default=[], metavar="TEXT", help="skip blocks that contain this text"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "nephoscope"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        for page in arguments.pages:
            for block in read_blocks(page, (clone / page).read_text("utf-8")):
                skipped = (f"skipped: {text}" for text in arguments.skip if text in block.script)
                reason = block.reason or next(skipped, None)
                print(f"\n── {block.page}:{block.line}{f' (not run: {reason})' if reason else ''}", flush=True)
                print(block.script, flush=True)
                if not reason:
                    run(block, clone)


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
