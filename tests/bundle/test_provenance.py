"""Results, networks and cards name the model, the rules and the engines that they come from."""

import re
from pathlib import Path

import onnx
import pytest
import yaml

from nephoscope.artifacts import SHIPPED, Artifacts
from nephoscope.bundle.folder import RULES, fingerprint, list_stems
from nephoscope.bundle.load import open_portable
from nephoscope.bundle.provenance import trace_provenance
from nephoscope.data.formats import CLOUDS
from nephoscope.provenance import CITATION
from nephoscope.rules.rules import read_rules


def front_matter(folder: Path) -> dict:
    _, matter, _ = (folder / "card.md").read_text("utf-8").split("---\n", 2)
    return yaml.safe_load(matter)


def test_an_open_model_knows_its_engines_and_rules() -> None:
    ensemble, rules = open_portable(SHIPPED, "onnx")
    provenance = trace_provenance(SHIPPED, ensemble, rules, "nephoscope predict a.jpg")
    assert provenance.model == fingerprint(SHIPPED)
    assert provenance.engines == {stem.name: "onnx fp32" for stem in list_stems(SHIPPED)}
    assert provenance.citation == CITATION
    assert provenance.rules == read_rules(SHIPPED / RULES).digest
    image = provenance.of_source("a.jpg", "c" * 64).to_attributes()
    assert (image["source"], image["source_sha256"]) == ("a.jpg", "c" * 64)


def test_other_rules_have_another_digest() -> None:
    rules = read_rules(SHIPPED / RULES)
    others = rules.model_copy(update={"adaptive_power": 0.5})
    assert rules.digest != others.digest
    assert len(rules.digest) == 64


@pytest.mark.parametrize(("engine", "precision"), [("openvino", ("fp32", "bf16")), ("torch", ("fp32", "bf16"))])
def test_engines_state_their_precision(engine, precision) -> None:
    ensemble, _ = open_portable(SHIPPED, engine)
    assert set(ensemble.engines.values()) <= {f"{engine} {name}" for name in precision}
    assert len(ensemble.engines) == len(list_stems(SHIPPED))


def test_exported_networks_carry_metadata(finished: Artifacts) -> None:
    folder = finished.export.model
    for stem in list_stems(folder):
        model = onnx.load(stem.with_suffix(".onnx"), load_external_data=False)
        properties = {entry.key: entry.value for entry in model.metadata_props}
        assert properties["nephoscope_network"] == stem.name
        assert properties["nephoscope_rules"] == read_rules(folder / RULES).digest
        assert properties["classes"] == "Fish, Flower, Gravel, Sugar"
        assert properties["data_format"] == CLOUDS.name
        assert properties["nephoscope_version"]


@pytest.mark.parametrize("model", ["shipped", "exported"])
def test_the_card_begins_with_what_hubs_read(model: str, finished: Artifacts) -> None:
    folder = SHIPPED if model == "shipped" else finished.export.model
    content = front_matter(folder)
    assert content["library_name"] == "nephoscope"
    assert content.get("license") == ("mit" if model == "shipped" else None)
    assert content["nephoscope"]["rules"] == read_rules(folder / RULES).digest
    assert {"onnx", "clouds"} <= set(content["tags"])
    (result,) = content["model-index"][0]["results"]
    figures = {figure["type"]: figure["value"] for figure in result["metrics"]}
    assert content["metrics"] == list(figures)
    (mean,) = re.findall(r"^\| mean \| (0\.\d{3}) \|", (folder / "card.md").read_text("utf-8"), re.MULTILINE)
    assert float(mean) == pytest.approx(figures["dice"], abs=0.00056)  # each is rounded by itself
