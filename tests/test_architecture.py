"""The house stands as drawn: floors, the torch line, five places with one name, deps that cover imports."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nephoscope.artifacts import Artifacts, StageFolder
from nephoscope.settings.params import Params
from tests.builders.source_tree import ROOMS, ROOT, STAGES, closure, height, imports, imports_of, module_files, room

DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
MODULES = sorted(module_files())
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "core", "common", "misc", "base"}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_its_own_room_or_one_below(module: str) -> None:
    above = {name for name in imports(module) if name in module_files() and height(name) > height(module)}
    assert not above, f"{module} reaches up to {sorted(above)}"


@pytest.mark.parametrize("module", MODULES)
def test_no_import_goes_in_a_circle(module: str) -> None:
    loaded = {name for direct in imports(module) if direct != module for name in closure(direct)}
    assert module not in loaded, f"{module} imports itself by way of others"


@pytest.mark.parametrize("module", [name for name in MODULES if height(name) < ROOMS.index("models") + 1])
def test_nothing_below_the_torch_line_imports_torch(module: str) -> None:
    heavy = {"torch", "timm", "lightning", "torchmetrics", "segmentation_models_pytorch", "torchvision"}
    assert not {name.split(".")[0] for name in imports(module)} & heavy


def test_quick_stages_never_load_torch() -> None:
    code = "import sys, stages.tune, stages.evaluate, stages.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_five_places_have_one_name() -> None:
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
    described = DVC[stage]
    written = [_path(out) for key in ("outs", "metrics", "plots") for out in described.get(key, [])]
    assert written
    assert all(path.startswith(f"artifacts/{stage}/") for path in written), written
    assert described["cmd"] == f"python -m stages.{stage}"


def _path(out: str | dict[str, object]) -> str:
    return out if isinstance(out, str) else next(iter(out))


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_the_rooms_that_a_stage_uses(stage: str) -> None:
    """The ground (paths, messages, atomic writing) decides no figure, and of the settings a stage has its own group."""
    rooms = {room(name) for name in closure(f"stages.{stage}")} - {"", "settings"}
    settings = imports(f"stages.{stage}") & {name for name in MODULES if room(name) == "settings"}
    needed = {f"stages/{stage}.py"} | {f"pipeline/nephoscope/{name}" for name in rooms}
    listed = {dep for dep in DVC[stage]["deps"] if dep.startswith(("pipeline/", "stages/")) and "/settings/" not in dep}
    assert listed == needed, f"missing: {sorted(needed - listed)}; no longer imported: {sorted(listed - needed)}"
    assert settings
    own = type(getattr(Params(), stage)).__module__.replace(".", "/")
    assert [dep for dep in DVC[stage]["deps"] if "/settings/" in dep] == [f"pipeline/{own}.py"]


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_reads_of_others_is_made_by_one(stage: str) -> None:
    outs = {_path(out) for other in DVC.values() for key in ("outs", "metrics", "plots") for out in other.get(key, [])}
    read = {dep for dep in DVC[stage]["deps"] if dep.startswith("artifacts/")}
    assert read <= outs, f"{stage} reads what no stage declares: {sorted(read - outs)}"


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
    """The report follows all sections, because it shows them."""
    changed = {name for name in STAGES if stage in DVC[name].get("params", [])}
    while True:
        outs = {_path(out) for name in changed for key in ("outs", "metrics") for out in DVC[name].get(key, [])}
        further = {name for name in STAGES if outs & set(DVC[name]["deps"])} | changed
        if further == changed:
            break
        changed = further
    assert changed == FOLLOWS[stage] | {stage}


def test_names_say_what_is_inside() -> None:
    names = {path.stem for top in ("pipeline", "stages", "tests") for path in (ROOT / top).rglob("*.py")}
    assert not names & FORBIDDEN_NAMES


def test_no_test_file_imports_another() -> None:
    """Shared things live in tests/builders, so that a test can be moved or deleted alone."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        imported = sorted(name for name in imports_of(path) if name.split(".")[0] == "tests")
        others = [name for name in imported if name.split(".")[1:2] != ["builders"]]
        assert not others, f"{path.relative_to(ROOT)} imports {others}; move what they share to tests/builders"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_file_ends_in_two_lines_that_run_it(stage: str) -> None:
    *_, condition, call = (ROOT / "stages" / f"{stage}.py").read_text("utf-8").strip().splitlines()
    assert condition == 'if __name__ == "__main__":'
    assert call.startswith("    main(Params.load()")


def test_one_module_counts_the_cores() -> None:
    """A process may be given fewer than the machine has; who asks the machine starts too many threads."""
    asking = [name for name, path in module_files().items() if "cpu_count" in path.read_text("utf-8")]
    assert asking == ["nephoscope.hardware"]
