import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import stages.export
from nephoscope.artifacts import Artifacts
from nephoscope.bundle import export as exporting
from nephoscope.bundle.export import EXACT, compare
from nephoscope.bundle.load import open_portable
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest
from nephoscope.errors import UserError
from nephoscope.evaluation.store import ProbabilityStore
from nephoscope.evaluation.tables import OURS
from nephoscope.files import read_json, write_json
from nephoscope.inference.result import decide_results
from nephoscope.settings.inference import Export


def test_the_folder_alone_predicts_what_the_pipeline_predicted(finished: Artifacts) -> None:
    manifest, cache = (
        Manifest.load(finished.prepare.manifest),
        Cache.open(finished.prepare.cache),
    )
    rows = manifest.rows("holdout")
    model, rules = open_portable(finished.export.model, "onnx")
    predictions = model.predict(np.asarray(cache.images[rows]), np.asarray(cache.visible[rows]))
    store = ProbabilityStore.open(finished.predict.probabilities("holdout"))
    for index, prediction in enumerate(predictions):
        assert np.abs(prediction.levels.astype(int) - store[index].levels).max() <= 1
        assert prediction.classifier == pytest.approx(store.raw.classifier[index], abs=1e-3)
    assert decide_results(["a"], predictions[:1], rules)[0].masks.shape == (4, 350, 525)


def test_the_folder_contains_all_files(finished: Artifacts) -> None:
    names = {path.name for path in finished.export.model.iterdir()}
    assert names == {
        "model.json",
        "rules.json",
        "card.md",
        "reference_outputs.safetensors",
        "classifier-seed0.onnx",
        "classifier-seed0.safetensors",
        "segmenter-seed0.onnx",
        "segmenter-seed0.safetensors",
    }
    data = json.loads((finished.export.model / "model.json").read_text())["data"]
    assert data["classes"] == ["Fish", "Flower", "Gravel", "Sugar"]
    assert data["output_shape"] == [350, 525]


@pytest.fixture(autouse=True)
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEPHOSCOPE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def halved(finished: Artifacts, tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """The finished run, exported in half precision with a licence. Read only."""
    run = Artifacts(Path(shutil.copytree(finished.root, tmp_path_factory.mktemp("halved") / "artifacts")))
    stages.export.main(Export(half=True, licence="Weights: MIT."), run)
    return run


def test_half_precision_halves_the_size(finished: Artifacts, halved: Artifacts) -> None:
    size, whole_size = (sum(path.stat().st_size for path in run.export.model.iterdir()) for run in (halved, finished))
    assert size < 0.55 * whole_size
    model, _ = open_portable(halved.export.model, "onnx")
    exact, _ = open_portable(halved.export.model, "torch", EXACT)
    assert compare(model, exact, np.asarray(Cache.open(halved.prepare.cache).images[[0, 1, 2]])).pixels < 1e-3


def test_a_folder_without_onnx_suggests_a_way_out(own_run: Artifacts) -> None:
    (own_run.export.model / "segmenter-seed0.onnx").unlink()
    with pytest.raises(UserError, match="no ONNX file of segmenter-seed0; export it again, or use --engine torch"):
        open_portable(own_run.export.model)
    open_portable(own_run.export.model, "torch")


SECOND_TIME = """
import sys
from pathlib import Path
import numpy as np
from nephoscope.bundle.load import open_portable

model, _ = open_portable(Path(sys.argv[1]))
height, width = model.metadata.cache_shape
model.predict(np.zeros((1, height, width, 3), np.uint8), np.ones((1, height, width), bool))
print(*sorted({"torch", "timm"} & set(sys.modules)))
"""


def test_a_model_with_a_cached_engine_choice_opens_without_torch(finished: Artifacts, cached: Path) -> None:
    open_portable(finished.export.model)
    (note,) = (cached / "engines").iterdir()
    write_json(note, dict.fromkeys(("classifier-seed0", "segmenter-seed0"), "onnx"))
    command = [sys.executable, "-c", SECOND_TIME, str(finished.export.model)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_no_file_contains_paths_of_this_machine(finished: Artifacts) -> None:
    files = {path.name: path.read_bytes() for path in finished.export.model.iterdir()}
    home = str(Path(stages.export.__file__).parents[1]).encode()
    assert not [name for name, content in files.items() if home in content or b"stack_trace" in content]


@pytest.fixture
def traced(finished: Artifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports take the graph of the finished run instead of tracing the same networks again."""

    def take(checkpoint: Path, _: object) -> None:
        shutil.copy(finished.export.model / f"{checkpoint.stem}.onnx", checkpoint.with_suffix(".onnx"))

    monkeypatch.setattr(exporting, "write_onnx", take)


@pytest.mark.usefixtures("traced")
def test_only_members_for_new_images_are_exported(own_run: Artifacts) -> None:
    for folder in (own_run.train_classifier.members, own_run.train_segmenter.members):
        shutil.copy(folder / "seed0.safetensors", folder / "seed1.safetensors")
    rules = read_json(own_run.tune.rules)
    write_json(own_run.tune.rules, {**rules, "inference_settings": {**rules["inference_settings"], "classifiers": 1}})
    stages.export.main(Export(), own_run)
    model = read_json(own_run.export.model / "model.json")
    assert (len(model["classifiers"]), len(model["segmenters"])) == (1, 2)


def test_half_precision_changes_probabilities_little(finished: Artifacts, halved: Artifacts) -> None:
    images = np.asarray(Cache.open(finished.prepare.cache).images[[0, 1, 2]])
    whole, half = (open_portable(run.export.model, "torch", EXACT)[0] for run in (finished, halved))
    assert 0 < compare(whole, half, images).pixels < 0.01


def test_the_card_reports_dice_and_rules(finished: Artifacts) -> None:
    card = (finished.export.model / "card.md").read_text("utf-8")
    dice = pd.read_csv(finished.evaluate.tables / "dice.csv")
    mean = dice[(dice["reference"] == OURS) & (dice["class_name"] == "mean")].iloc[0]
    assert f"| mean | {mean['dice']:.3f} | {mean['low']:.3f} to {mean['high']:.3f} |" in card
    weight = read_json(finished.tune.rules)["classifier_weight"]
    assert f"Presence is {100 * weight:.0f} % classifier" in card
    for part in ("Fish", "seed0", "calibrated probability", "unsure", "## Limits"):
        assert part in card


def test_the_card_contains_the_licence_from_the_settings(finished: Artifacts, halved: Artifacts) -> None:
    assert "Licence" not in (finished.export.model / "card.md").read_text("utf-8")
    assert (halved.export.model / "card.md").read_text("utf-8").endswith("## Licence\n\nWeights: MIT.\n")


def test_the_metric_is_the_largest_difference_from_torch(finished: Artifacts) -> None:
    metrics = read_json(finished.export.metrics)
    assert 0 <= metrics["error"] <= Export().tolerance


@pytest.mark.usefixtures("traced")
def test_a_model_beyond_the_tolerance_is_not_exported(own_run: Artifacts) -> None:
    before = (own_run.export.model / "model.json").stat().st_mtime_ns
    with pytest.raises(UserError, match=r"more than export\.tolerance"):
        stages.export.main(Export(tolerance=1e-12), own_run)
    assert (own_run.export.model / "model.json").stat().st_mtime_ns == before
