"""Write constraints-hashed.txt: the packages of constraints.txt with the hashes of the files that pip downloads.

    python -m docs.lock

pip resolves the same packages as `pip install -c constraints.txt -e '.[lint,test]'`, and installs nothing. It asks the
index that it is configured for. The hashes are those of the files for this operating system and this Python.
"""

import json
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CONSTRAINTS, TARGET = ROOT / "constraints.txt", ROOT / "constraints-hashed.txt"
EXTRAS = "lint,test"
"""These extras contain all others."""
HEADER = """\
# The packages of constraints.txt with the hashes of their files, for {system} on {machine} and Python {python}.
# `python -m docs.lock` writes this file. SECURITY.md says how to install it.
"""


def main() -> None:
    TARGET.write_text(render(resolve()), "utf-8")


def resolve() -> list[dict[str, Any]]:
    """What pip would install into an empty environment; see pip's installation report."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"]
    command += ["-c", str(CONSTRAINTS), f"{ROOT}[{EXTRAS}]"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return list(json.loads(done.stdout)["install"])


def render(installed: Iterable[dict[str, Any]]) -> str:
    """Entries of pip's report → requirements with hashes, sorted by name. The project itself has none."""
    lines = []
    for package in installed:
        if archive := package["download_info"].get("archive_info"):
            name, version = (package["metadata"][key] for key in ("name", "version"))
            lines.append(f"{name.lower()}=={version} --hash=sha256:{archive['hashes']['sha256']}\n")
    described = HEADER.format(
        system=platform.system(), machine=platform.machine(), python=".".join(platform.python_version_tuple()[:2])
    )
    return described + "".join(sorted(lines))


if __name__ == "__main__":
    main()
