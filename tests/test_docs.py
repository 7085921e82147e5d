"""The documents say what the code does."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from docs import parameters, rule_pictures
from nephoscope.artifacts import Artifacts
from nephoscope.data.images import read_image
from tests.builders.source_tree import ROOT

FORMATS = (ROOT / "docs/formats.md").read_text("utf-8")
WITHOUT_ENCODER = FORMATS.replace("encoder_rate, ", "")
"""as the tiny run has it, whose segmenter has no encoder"""
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_page_of_settings_is_current() -> None:
    assert parameters.TARGET.read_text("utf-8") == parameters.render(), "run `python -m docs.parameters`"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "number, above 0, at most 1"),
        ({"anyOf": [{"type": "integer", "minimum": 0}, {"const": "auto"}]}, "integer, at least 0 or `auto`"),
        ({"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 255}}, "list: integer, 1 to 255"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "{name: number}"),
    ],
)
def test_values_are_told_in_words(schema: dict[str, object], words: str) -> None:
    assert parameters.spell(schema) == words


def test_every_table_of_a_run_is_described_column_by_column(finished: Artifacts) -> None:
    own = [path for path in finished.root.rglob("*.csv") if "dataset" not in path.parts]
    assert len(own) > 25
    for path in own:
        with path.open(newline="", encoding="utf-8") as file:
            columns = ", ".join(next(csv.reader(file)))
        assert f"`{columns}`" in FORMATS + WITHOUT_ENCODER, f"{path.relative_to(finished.root)}: {columns}"
        assert path.name in FORMATS


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", path.read_text("utf-8"))
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_headings(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", path.read_text("utf-8"))
    missing = [(file, anchor) for file, anchor in links if anchor not in anchors(path.parent / file if file else path)]
    assert not missing


def anchors(path: Path) -> set[str]:
    """As GitHub makes them: lower case, hyphens for blanks, and no other signs."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_pictures_of_the_rule_are_current() -> None:
    for name, image in rule_pictures.draw_all().items():
        path = rule_pictures.FOLDER / name
        assert path.stat().st_size < 150_000
        difference = np.abs(read_image(path).astype(int) - image).mean()
        assert difference < 5, f"{name}: run `python -m docs.rule_pictures`"  # what JPEG does to grain


@pytest.mark.parametrize("name", ["rule", "formats", "tuning"])
def test_python_in_the_documents_runs(name: str, finished: Artifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(finished.root.parent)
    text = (ROOT / f"docs/{name}.md").read_text("utf-8").replace('"artifacts/', f'"{finished.root}/')
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(block, {})
