"""Look for inputs that break a parser, for a bounded time:

    python -m benchmarks.fuzz --seconds 60               # all parsers, this long together
    python -m benchmarks.fuzz --only geotiff netcdf      # only these

Each parser gets sound files with random changes. It may read them, or refuse them with an error that users can read.
Anything else is a failure: it is reduced, kept in tests/corpus/found.json, and replayed by the tests. Exit code 1 says
that there was one. A parser runs in a process of its own, because a fault of a library in C ends its process.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.corpus.targets import TARGETS, Target, keep_found

EXAMPLES = 100
"""Tried between two looks at the clock."""
INTERESTING = b"\0\1\x7f\x80\xff\n\r,;:{}[]\"'&*-+.0129eENaN"
SLOWEST = 20.0
"""Seconds for one input, at most."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="for all parsers together")
    parser.add_argument("--only", nargs="+", choices=TARGETS, help="only these parsers")
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = arguments.only or list(TARGETS)
    if arguments.here:
        sys.exit(fuzz(names[0], arguments.seconds, arguments.here))
    broken = [name for name in names if not is_sound(name, arguments.seconds / len(names))]
    sys.exit(1 if broken else 0)


def is_sound(name: str, seconds: float) -> bool:
    """Fuzz one parser in a process of its own; an input that ends the process is kept."""
    with tempfile.TemporaryDirectory() as folder:
        current = Path(folder) / "current"
        command = [sys.executable, "-m", "benchmarks.fuzz", "--only", name, "--seconds", str(seconds)]
        done = subprocess.run([*command, "--here", str(current)], check=False)
        if done.returncode not in (0, 1):
            keep_found(name, current.read_bytes())
            print(f"{name}: the process ended with {done.returncode}")
    return done.returncode == 0


def fuzz(name: str, seconds: float, current: Path) -> int:
    """Try changed seeds until the time is over → 0, or 1 if one broke the parser."""
    target, tried, end = TARGETS[name], 0, time.monotonic() + seconds
    seeds = target.seeds()
    warnings.simplefilter("ignore")
    while time.monotonic() < end:
        breaking = find_breaking(target, seeds, tried, current)
        tried += EXAMPLES
        if breaking is not None:
            keep_found(name, breaking)
            print(f"{name}: broken by {breaking[:200]!r}")
            return 1
    print(f"{name}: {tried} inputs from {len(seeds)} seeds, all read or refused", flush=True)
    return 0


def find_breaking(target: Target, seeds: Sequence[bytes], number: int, current: Path) -> bytes | None:
    """The smallest input found that breaks the parser, or takes too long; None if none does."""
    last: list[bytes] = []

    @seed(number)
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck), print_blob=False,
    )  # fmt: skip
    @given(changed(seeds))
    def attempt(content: bytes) -> None:
        last[:] = [content]
        current.write_bytes(content)
        begin = time.process_time()
        target(content)
        if time.process_time() - begin > SLOWEST:
            raise TimeoutError(f"one input took more than {SLOWEST:.0f} seconds")

    try:
        attempt()
    except Exception:
        traceback.print_exc()
        return last[0]
    return None


@st.composite
def changed(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """A seed with a few bytes changed, inserted, removed or repeated."""
    content = bytearray(draw(st.sampled_from(list(seeds))))
    for _ in range(draw(st.integers(1, 5))):
        # Most decisions of a parser depend on the first bytes.
        last = min(len(content), draw(st.sampled_from([32, 512, 1 << 30])))
        place = draw(st.integers(0, last))
        kind = draw(st.sampled_from(["change", "insert", "remove", "repeat", "cut"]))
        if kind == "change" and place < len(content):
            content[place] = draw(st.one_of(st.sampled_from(list(INTERESTING)), st.integers(0, 255)))
        elif kind == "insert":
            content[place:place] = draw(st.one_of(st.binary(max_size=8), st.sampled_from(WORDS)))
        elif kind == "remove":
            del content[place : place + draw(st.integers(1, 16))]
        elif kind == "repeat":
            part = content[place : place + draw(st.integers(1, 32))]
            content[place:place] = part * draw(st.integers(1, 20))
        elif kind == "cut":
            del content[place:]
    return bytes(content)


WORDS = [b"NaN", b"Infinity", b"-1", b"1e999", b"null", b"9" * 30, b"\xff\xda", b"\xff\xd9", "ä٣".encode(), b"[" * 50]
"""What parsers of text and pictures tend to stumble over."""

if __name__ == "__main__":
    main()
