"""What the tests of architecture look at: which modules the house has, and who imports whom."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
FLOORS = ("masks", "data", "evaluation", "models", "learning", "inference", "delivery")
"""Ground to roof; `models` is the first above the torch line."""
STAGES = (
    "synthesize", "prepare", "train_segmenter", "train_classifier", "predict",
    "tune", "evaluate", "explain", "submit", "export", "report",
)  # fmt: skip


def module_files() -> dict[str, Path]:
    """Dotted name → file, of all of `pipeline` and `stages`."""
    files = [path for top in ("pipeline", "stages") for path in sorted((ROOT / top).rglob("*.py"))]
    return {_dotted(path): path for path in files}


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(module: str) -> frozenset[str]:
    """All that a module imports, as dotted names; of our own modules the most precise that exist."""
    own = module_files()
    found = set()
    for node in ast.walk(ast.parse(own[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import; say the whole name"
            assert node.module is not None
            for alias in node.names:
                precise = f"{node.module}.{alias.name}"
                found.add(precise if precise in own else node.module)
    return frozenset(found)


def closure(module: str) -> set[str]:
    """Our own modules that are loaded with this one, itself and the packages around them included."""
    own, seen, todo = module_files(), set(), [module]
    while todo:
        name = todo.pop()
        if name in seen or name not in own:
            continue
        seen.add(name)
        todo += [*imports(name), name.rpartition(".")[0]]
    return seen


def floor(module: str) -> int:
    """0 for the ground, 1 to 7 for the floors of `pipeline/`, 8 for stages."""
    top, *rest = module.split(".")
    if top == "stages":
        return len(FLOORS) + 1
    return FLOORS.index(rest[0]) + 1 if rest and rest[0] in FLOORS else 0
