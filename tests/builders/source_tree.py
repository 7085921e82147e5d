"""The source tree for tests of the architecture: modules, rooms and imports."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "pipeline"
PACKAGE = SOURCE / "nephoscope"
ROOMS = (
    "settings", "masks", "rules", "data", "evaluation", "tuning", "figures", "earth", "models", "training",
    "inference", "bundle", "batch", "api", "report", "app", "cli",
)  # fmt: skip
"""From the lowest to the highest; `models` is the first that may import torch."""
STAGES = (
    "synthesize", "prepare", "train_segmenter", "train_classifier", "predict",
    "tune", "evaluate", "explain", "submit", "export", "report",
)  # fmt: skip


@cache
def module_files() -> dict[str, Path]:
    """Dotted name → file, for the package and `stages`."""
    package = {_dotted(path, SOURCE): path for path in sorted(PACKAGE.rglob("*.py"))}
    return package | {_dotted(path, ROOT): path for path in sorted((ROOT / "stages").glob("*.py"))}


def _dotted(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(module: str) -> frozenset[str]:
    """Dotted names of all that a module imports."""
    return imports_of(module_files()[module])


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Dotted names of all that a file imports; for our own modules the most precise name."""
    own = module_files()
    imported = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the absolute name"
            assert node.module is not None
            for alias in node.names:
                precise = f"{node.module}.{alias.name}"
                imported.add(precise if precise in own else node.module)
    return frozenset(imported)


@cache
def imports_at_load(module: str) -> frozenset[str]:
    """The imports that run when the module is loaded: those outside functions."""
    tree = ast.parse(module_files()[module].read_text("utf-8"))
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for part in ast.walk(node)}
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in inside:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return frozenset(names & module_files().keys())


def closure(module: str) -> set[str]:
    """The module and every module of ours that it imports, directly or through others."""
    own, seen, todo = module_files(), set(), [module]
    while todo:
        name = todo.pop()
        if name in own and name not in seen:
            seen.add(name)
            todo += imports(name)
    return seen


def room(module: str) -> str:
    """The room of a module; "" for the ground and for stages."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else ""


def height(module: str) -> int:
    """0 for the ground, then the rooms in their order, then what may import every room."""
    if module in ("nephoscope", "nephoscope.__main__", "nephoscope.accessor") or module.split(".")[0] == "stages":
        return len(ROOMS) + 1
    return ROOMS.index(room(module)) + 1 if room(module) else 0
