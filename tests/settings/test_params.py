"""Settings: which files are accepted, and the messages of those that are refused."""

import re
from pathlib import Path

import pytest
import yaml

from nephoscope.settings.params import Params
from nephoscope.settings.section import ParamsError
from tests.builders.source_tree import ROOT, imports

FILES = [ROOT / "params.yaml", *sorted((ROOT / "recipes").glob("*.yaml"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_shipped_file_is_valid(path: Path) -> None:
    assert Params.load(path).prepare.root


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_shipped_file_has_every_section(path: Path) -> None:
    """DVC refuses a stage without a section in the file, although the defaults would do."""
    assert set(yaml.safe_load(path.read_text())) == set(Params.model_fields)


def load(tmp_path: Path, text: str) -> Params:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return Params.load(path)


def test_a_missing_section_has_its_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "tune: {presence: pixels}").evaluate == Params().evaluate


def test_an_exponent_without_a_point_is_a_number(tmp_path: Path) -> None:
    loaded = load(tmp_path, "train_classifier: {optimiser: {encoder_rate: 1e-4}}")
    assert loaded.train_classifier.optimiser.encoder_rate == 0.0001


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tunes: {}", r"tunes: unknown; known here: evaluate, explain, export, predict"),
        ("tune: {presense: both}", r"tune\.presense: unknown; known here: .*presence"),
        (
            "train_segmenter: {augmentation: {flip: 1}}",
            r"augmentation\.flip: unknown; .*vertical_flip",
        ),
        ("tune: {presence: maybe}", r"tune\.presence: Input should be 'classifier', 'pixels' or 'both'"),
        ("tune: {pixel_thresholds: [0]}", r"tune\.pixel_thresholds\.0: .*greater than or equal to 1"),
        ("prepare: {validation_share: 0.6, holdout_share: 0.4}", r"prepare: .*nothing is left to train on"),
        ("prepare: {folds: 1}", r"folds: 1 is no division"),
        ("prepare: {folds: 3, folds_held_out: 4}", r"folds_held_out: 4, but there are 3 folds"),
        ("train_classifier: {loss: {}}", r"train_classifier\.loss: .*at least 1 item"),
        ("train_classifier: {loss: {bse: 1}}", r"train_classifier\.loss\.bse"),
        (
            "train_classifier: {loss: {bce: 0.5, dice: 0.5}}",
            r"train_classifier\.loss: dice: only for pixels, .* use bce, weighted_bce, focal",
        ),
        ("train_classifier: {loss: {cce: 1}}", r"train_classifier\.loss: cce: only for pixels"),
        ("train_classifier: {seeds: [0, 0]}", r"train_classifier\.seeds: .*named twice"),
        ("train_classifier: {seeds: [-1]}", r"train_classifier\.seeds\.0: .*greater than or equal to 0"),
        ("train_classifier: {unfreeze_steps: 3}", r"nothing is frozen; set frozen_epochs"),
        ("train_segmenter: {architecture: Linknet, decoder_width: 0.5}", r"Linknet has one width only"),
        ("train_segmenter: {architecture: VanillaUnet, frozen_epochs: 1}", r"no trained encoder"),
        (
            "predict: {machine: {devices: 2}}",
            r"predict\.machine\.devices: unknown; known here: accelerator, precision$",
        ),
        ("train_segmenter: {machine: {strategy: fsdp}}", r"fsdp splits a network .*; write ddp"),
        ("predict: {flips: [none, none]}", r"predict\.flips: .*named twice"),
        ("tune: [", r"not readable as YAML"),
        ("evaluate: {seed: -1}", r"evaluate\.seed: .*greater than or equal to 0"),
        (
            "tune: {min_areas: {first: 0, last: 1e4, step: 250}}",
            r"tune\.min_areas.*last and step must be whole",
        ),
        ("tune: {min_areas: {first: 0, last: 100, step: 0}}", r"tune\.min_areas.*: .* must not be zero"),
        ("tune: {pixel_thresholds: {first: a, last: 9, step: 1}}", r"pixel_thresholds: .* last and step must be whole"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_the_way_out(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prepare: {faults: set_aside}", "prepare.faults: renamed; write prepare.problems"),
        ("train_segmenter: {finish: {epochs: 1}}", "train_segmenter.finish: renamed; write train_segmenter.finetune"),
        ("train_classifier: {finish: {epochs: 1}}", "write train_classifier.finetune"),
        ("predict: {strongest_share: 0.1}", "predict.strongest_share: renamed; write predict.top_fraction"),
        ("tune: {follow_strongest: 1}", "tune.follow_strongest: renamed; write tune.adaptive_power"),
        ("tune: {force_strongest: true}", "tune.force_strongest: renamed; write tune.force_top_class"),
        ("tune: {seed_thresholds: [200]}", "tune.seed_thresholds: removed; delete this key"),
        ("submit: {machine: {precision: bf16}}", "submit.machine.precision: removed; delete this key"),
        ("predict: {machine: {precision: auto}}", "predict.machine.precision: Input should be 'fp32' or 'bf16'"),
        ("tune: {borrow: 0.5}", "tune.borrow: renamed; write tune.shrinkage"),
        ("tune: {goal: f_beta}", "tune.goal: renamed; write tune.objective"),
    ],
)
def test_a_setting_of_an_earlier_version_names_its_new_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ParamsError, match=r"1 setting\(s\)") as refused:
        load(tmp_path, text)
    assert re.search(message, str(refused.value))


@pytest.mark.parametrize("group", ["data", "inference", "report", "training", "tuning"])
def test_groups_of_settings_import_only_what_they_share(group: str) -> None:
    """DVC reruns a stage when its own group changes; an import of another group would hide a change."""
    own = {name for name in imports(f"nephoscope.settings.{group}") if name.startswith("nephoscope.settings.")}
    assert own <= {f"nephoscope.settings.{group}", "nephoscope.settings.section"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "tune: {classifier_weight: 2}",
            "tune.classifier_weight: Input should be less than or equal to 1, or 'searched'",
        ),
        ("tune: {family: seed}", "tune.family: Input should be 'pixel', 'area' or 'presence', or 'searched'"),
        ("tune: {min_areas: none}", "tune.min_areas: Input should be a valid tuple, or 'every'"),
        ("tune: {min_areas: [3, -1]}", "tune.min_areas.1: Input should be greater than or equal to 0"),
        (
            "train_segmenter: {machine: {workers: -1}}",
            "train_segmenter.machine.workers: Input should be greater than or equal to 0, or 'auto'",
        ),
        ("train_segmenter: {input_shape: [0, 4]}", "train_segmenter.input_shape.0: Input should be greater than 0"),
        ("prepare: {folds: 1}", "prepare: folds: 1 is no division; write 0 for one split, or 2 or more"),
    ],
)
def test_a_message_has_the_setting_and_all_allowed_values(tmp_path: Path, text: str, line: str) -> None:
    with pytest.raises(ParamsError) as refused:
        load(tmp_path, text)
    assert f"  {line}" in str(refused.value).splitlines()


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(b"report: {title: caf\xe9}")
    with pytest.raises(ParamsError, match=r"params\.yaml: not readable as YAML: .*utf-8.*0xe9"):
        Params.load(path)


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"2 setting\(s\)"):
        load(tmp_path, "tune: {presence: maybe}\nevaluate: {bootstrap: 0}")


def test_a_missing_file_names_the_folder_to_run_from(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"run from the folder that holds params\.yaml"):
        Params.load(tmp_path / "params.yaml")


def test_settings_cannot_be_changed_after_loading() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Params().tune.presence = "pixels"  # type: ignore[misc]
