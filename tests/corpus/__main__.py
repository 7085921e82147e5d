"""Write the corpus into a folder, and count it: `python -m tests.corpus FOLDER`."""

import sys
from pathlib import Path

from tests.corpus import documents, pictures, scenes
from tests.corpus.case import Case

KINDS = {
    "pictures": pictures.cases,
    "scenes": scenes.cases,
    "tables": documents.tables,
    "settings": documents.settings,
}


def count(cases: list[Case]) -> str:
    read = sum(case.certain and case.refusal is None for case in cases)
    refused = sum(case.certain and case.refusal is not None for case in cases)
    return f"{len(cases)} files: {read} to read, {refused} to refuse, {len(cases) - read - refused} damaged at random"


def main(folder: Path) -> None:
    for kind, make in KINDS.items():
        cases = make()
        for case in cases:
            case.write(folder / kind)
        sys.stdout.write(f"{kind}: {count(cases)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "corpus"))
