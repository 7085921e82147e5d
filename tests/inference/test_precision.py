"""One precision for evaluation and delivery: fp32 on every processor, unless the settings say bf16."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nephoscope.artifacts import SHIPPED, Artifacts
from nephoscope.bundle.load import open_portable
from nephoscope.data.manifest import Manifest
from nephoscope.errors import UserError
from nephoscope.evaluation.store import ProbabilityStore
from nephoscope.files import read_json, write_json
from nephoscope.inference.engine_choice import ENGINES, draw_probe
from nephoscope.inference.torch_engine import TorchEngine
from nephoscope.inference.trained import open_ensemble
from nephoscope.rules.rules import InferenceSettings, read_rules
from nephoscope.settings.inference import Predict, Submit
from nephoscope.settings.section import Machine

STEM = SHIPPED / "classifier-seed0"


@pytest.fixture
def with_amx(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU that is faster in bf16."""
    for name in ("_is_amx_tile_supported", "_init_amx", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: True)


@pytest.mark.usefixtures("with_amx")
def test_a_processor_that_is_faster_in_16_bits_predicts_in_32() -> None:
    engine = TorchEngine.open(STEM.with_suffix(".safetensors"), Predict().machine)
    assert engine.description == "torch fp32"
    exact = ENGINES["onnx"](STEM, Machine(), 1)
    images = draw_probe(engine.input_shape)
    np.testing.assert_allclose(engine(images), exact(images), atol=1e-4)


def test_nothing_in_the_process_rounds_what_is_computed_in_fp32() -> None:
    torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("medium")
    TorchEngine.open(STEM.with_suffix(".safetensors"), Machine())
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.allow_tf32


def test_openvino_computes_in_the_precision_that_it_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own default depends on the processor."""
    import openvino

    settings: list[dict[str, Any]] = []
    compile_model = openvino.Core.compile_model

    def recorded(core: Any, model: Any, device: str, config: dict[str, Any]) -> Any:
        settings.append(config)
        return compile_model(core, model, device, config)

    monkeypatch.setattr(openvino.Core, "compile_model", recorded)
    engine = ENGINES["openvino"](STEM, Machine(), 1)
    engine(draw_probe(engine.input_shape))
    assert [config["INFERENCE_PRECISION_HINT"] for config in settings] == ["f32"]
    assert engine.description == "openvino fp32"


def test_an_engine_refuses_a_precision_that_it_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    import openvino

    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: ["FP32", "INT8"])
    for engine in ("onnx", "openvino"):
        with pytest.raises(UserError, match=f"the engine {engine} .* in bf16.*; choose another engine"):
            ENGINES[engine](STEM, Machine(precision="bf16"), 1)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_stages_compute_as_the_rules_say(finished: Artifacts, precision: str) -> None:
    settings = InferenceSettings.model_validate({"precision": precision})
    members = finished.train_classifier.members, finished.train_segmenter.members
    model = open_ensemble(*members, Manifest.load(finished.prepare.manifest).metadata, settings, Submit().machine)
    assert model.engines == dict.fromkeys(("classifier-seed0", "segmenter-seed0"), f"torch {precision}")


def test_a_model_folder_computes_as_its_rules_say(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SHIPPED, tmp_path / "model"))
    assert set(open_portable(folder, "torch")[0].engines.values()) == {"torch fp32"}
    rules = read_json(folder / "rules.json")
    rules["inference_settings"]["precision"] = "bf16"
    write_json(folder / "rules.json", rules)
    assert set(open_portable(folder, "torch")[0].engines.values()) == {"torch bf16"}
    with pytest.raises(UserError, match="the engine onnx computes in fp32, and not in bf16"):
        open_portable(folder, "onnx")


def test_store_and_rules_record_the_precision(finished: Artifacts) -> None:
    store = ProbabilityStore.open(finished.predict.probabilities("holdout"))
    assert store.inference_settings.precision == "fp32"
    assert read_json(finished.tune.rules)["inference_settings"]["precision"] == "fp32"


def test_rules_of_before_keep_their_digest(tmp_path: Path) -> None:
    content = read_json(SHIPPED / "rules.json")
    assert content["inference_settings"].pop("precision") == "fp32"
    write_json(tmp_path / "rules.json", content)
    rules = read_rules(tmp_path / "rules.json")
    assert rules.digest == read_rules(SHIPPED / "rules.json").digest
    assert rules.inference_settings.precision == "fp32"
    halved = rules.inference_settings.model_copy(update={"precision": "bf16"})
    assert rules.model_copy(update={"inference_settings": halved}).digest != rules.digest
