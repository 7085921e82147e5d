"""Write the corpus into a folder, and count it: `python -m tests.corpus FOLDER`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from nephoscope.artifacts import SHIPPED
from nephoscope.files import read_json
from tests.corpus import documents, models, pictures, scenes
from tests.corpus.case import Case


def make_all() -> dict[str, Sequence[Case]]:
    """Kind → its files."""
    return {
        "pictures": pictures.cases(),
        "scenes": scenes.cases(),
        "tables": documents.tables(),
        "settings": documents.settings(),
        "rules": documents.rules(read_json(SHIPPED / "rules.json")),
    }


def table(kinds: dict[str, Sequence[Case]]) -> list[str]:
    """The rows of the table in docs/reliability.md."""
    rows = []
    for kind, cases in kinds.items():
        read = sum(case.certain and case.refusal is None for case in cases)
        refused = sum(case.certain and case.refusal is not None for case in cases)
        rows.append(f"| {kind} | {len(cases)} | {read} | {refused} | {len(cases) - read - refused} |")
    folders = len(models.cases())
    return [*rows, f"| model folders | {folders} | 0 | {folders} | 0 |"]


def main(folder: Path) -> None:
    kinds = make_all()
    for kind, cases in kinds.items():
        for case in cases:
            case.write(folder / kind)
    sys.stdout.write("\n".join(table(kinds)) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "corpus"))
