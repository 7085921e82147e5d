"""The structure holds: order of rooms, the torch line, one name per stage, deps in dvc.yaml that match the imports."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nephoscope.artifacts import Artifacts, StageFolder
from nephoscope.settings.params import Params
from tests.builders.source_tree import (
    ROOMS,
    ROOT,
    STAGES,
    closure,
    height,
    imports,
    imports_at_load,
    imports_of,
    module_files,
    room,
)

DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
MODULES = sorted(module_files())
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "core", "common", "misc", "base"}
HEAVY = {"torch", "timm", "lightning", "torchmetrics", "segmentation_models_pytorch", "torchvision"}


def outs(stage: str) -> set[str]:
    return {*DVC[stage]["outs"], *DVC[stage].get("metrics", [])}


def reads(stage: str) -> set[str]:
    """The artifacts that a stage depends on: files, folders, or all that another stage writes."""
    return {dep for dep in DVC[stage]["deps"] if dep.startswith("artifacts/")}


def covers(dep: str, out: str) -> bool:
    return out == dep or out.startswith(f"{dep}/")


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_its_own_room_or_one_below(module: str) -> None:
    above = {name for name in imports(module) if name in module_files() and height(name) > height(module)}
    assert not above, f"{module} imports from rooms above its own: {sorted(above)}"


@pytest.mark.parametrize("module", MODULES)
def test_no_module_imports_itself_through_others(module: str) -> None:
    seen, todo = set(), [*imports_at_load(module)]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += imports_at_load(name)
    assert module not in seen


@pytest.mark.parametrize("module", [name for name in MODULES if height(name) < ROOMS.index("models") + 1])
def test_no_module_below_the_torch_line_imports_torch(module: str) -> None:
    assert not {name.split(".")[0] for name in imports(module)} & HEAVY


def test_quick_stages_never_load_torch() -> None:
    code = "import sys, stages.tune, stages.evaluate, stages.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_stage_has_one_name_in_five_places() -> None:
    assert tuple(DVC) == STAGES
    assert tuple(Params.model_fields) == STAGES
    files = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__"}
    assert files == set(STAGES)
    tests = {path.stem.removeprefix("test_") for path in (ROOT / "tests/stages").glob("test_*.py")}
    assert tests == set(STAGES)
    for stage in STAGES:
        folder = getattr(Artifacts(Path("artifacts")), stage)
        assert isinstance(folder, StageFolder)
        assert folder.folder == Path("artifacts") / stage


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_writes_only_into_its_own_folder(stage: str) -> None:
    assert outs(stage)
    assert all(out.startswith(f"artifacts/{stage}/") for out in outs(stage))
    assert DVC[stage]["cmd"] == f"python -m stages.{stage}"


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_the_rooms_that_a_stage_uses(stage: str) -> None:
    """Without the ground, which changes no result, and with the stage's own group of settings alone."""
    rooms = {room(name) for name in closure(f"stages.{stage}")} - {"", "settings"}
    settings = type(getattr(Params(), stage)).__module__.replace(".", "/")
    needed = {f"pipeline/nephoscope/{name}" for name in rooms} | {f"stages/{stage}.py", f"pipeline/{settings}.py"}
    listed = {dep for dep in DVC[stage]["deps"] if dep.startswith(("pipeline/", "stages/"))}
    assert listed == needed, f"missing: {sorted(needed - listed)}; not imported: {sorted(listed - needed)}"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_only_what_another_stage_writes(stage: str) -> None:
    written = {out for other in STAGES if other != stage for out in outs(other)}
    unknown = {dep for dep in reads(stage) if not any(covers(dep, out) for out in written)}
    assert not unknown, f"{stage} reads what no stage writes: {sorted(unknown)}"


FOLLOWS = {
    "prepare": set(STAGES) - {"synthesize", "prepare"},
    "train_classifier": {"predict", "tune", "evaluate", "explain", "submit", "export", "report"},
    "train_segmenter": {"train_classifier", "predict", "tune", "evaluate", "explain", "submit", "export", "report"},
    "predict": {"tune", "evaluate", "explain", "submit", "export", "report"},
    "tune": {"evaluate", "explain", "submit", "export", "report"},
    "evaluate": {"explain", "export", "report"},
    "explain": {"report"},
    "submit": {"report"},
    "export": {"report"},
}


@pytest.mark.parametrize("stage", FOLLOWS)
def test_a_changed_setting_reruns_its_stage_and_what_follows(stage: str) -> None:
    """The report depends on every section, because it shows all settings."""
    changed = {name for name in STAGES if stage in DVC[name]["params"]}
    for name in STAGES:  # in the order of the pipeline, so that one pass is enough
        if any(covers(dep, out) for dep in reads(name) for other in changed for out in outs(other)):
            changed.add(name)
    assert changed == FOLLOWS[stage] | {stage}


def test_contributing_lists_the_rooms_in_their_order() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    places = [re.search(rf"`{name}/?`", guide.split("rooms below it:")[1]) for name in ROOMS]
    starts = [place.start() for place in places if place]
    assert len(starts) == len(ROOMS)
    assert starts == sorted(starts)


def test_file_names_say_what_is_inside() -> None:
    names = {path.stem for top in ("pipeline", "stages", "tests") for path in (ROOT / top).rglob("*.py")}
    assert not names & FORBIDDEN_NAMES


def test_no_test_file_imports_another() -> None:
    """Shared things live in tests/builders and tests/corpus, so that a test can be moved or deleted alone."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        imported = sorted(name for name in imports_of(path) if name.split(".")[0] == "tests")
        others = [name for name in imported if name.split(".")[1:2] not in (["builders"], ["corpus"])]
        assert not others, f"{path.relative_to(ROOT)} imports {others}; move what they share to tests/builders"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_file_ends_in_two_lines_that_run_it(stage: str) -> None:
    *_, condition, call = (ROOT / "stages" / f"{stage}.py").read_text("utf-8").strip().splitlines()
    assert condition == 'if __name__ == "__main__":'
    assert call.startswith("    main(Params.load()")


def test_one_module_counts_the_cores() -> None:
    """A process may be limited to fewer cores than the machine has; nephoscope.hardware knows that limit."""
    counting = [name for name, path in module_files().items() if "cpu_count" in path.read_text("utf-8")]
    assert counting == ["nephoscope.hardware"]
