"""The documents match the code: tables, links, figures, Python examples."""

import csv
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from docs import draw_days, parameters, rule_pictures
from nephoscope.artifacts import Artifacts
from nephoscope.data.images import read_image
from tests.builders.command_line import run_command
from tests.builders.source_tree import ROOT

FORMATS = (ROOT / "docs/formats.md").read_text("utf-8")
WITHOUT_ENCODER = FORMATS.replace("encoder_rate, ", "")
"""The tables of the tiny run, whose segmenter has no encoder."""
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


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
def test_values_are_described_in_words(schema: dict[str, object], words: str) -> None:
    assert parameters.spell(schema) == words


def test_every_table_of_a_run_is_documented_column_by_column(finished: Artifacts) -> None:
    tables = [path for path in finished.root.rglob("*.csv") if "dataset" not in path.parts]
    assert len(tables) > 25
    for path in tables:
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
    """The anchors that GitHub makes of headings: lower case, hyphens for spaces, no punctuation."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_figures_of_the_rule_are_current() -> None:
    for name, image in rule_pictures.draw_all().items():
        path = rule_pictures.FOLDER / name
        assert path.stat().st_size < 150_000
        difference = np.abs(read_image(path).astype(int) - image).mean()
        assert difference < 5, f"{name}: run `python -m docs.rule_pictures`"  # JPEG changes noise a little


PAGES = ("formats", "many-pictures", "maps", "python", "rule", "tuning")


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{name}.md" for name in PAGES)])
def test_python_examples_run(page: str, finished: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "artifacts").symlink_to(finished.root)
    (tmp_path / "pictures").mkdir()
    for copy in ("picture.jpg", "pictures/picture.jpg"):
        shutil.copyfile(rule_pictures.FOLDER / "rule-picture.jpg", tmp_path / copy)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of rioxarray
@pytest.mark.filterwarnings("ignore:numpy.ndarray size changed:RuntimeWarning")
def test_the_page_of_earth_runs_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(draw_days, "DAYS", 3)  # of twelve
    names: dict[str, object] = {}
    page = (ROOT / "docs/earth.md").read_text("utf-8")
    for language, code in re.findall(r"^```(python|bash)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        if language == "python":
            exec(code, names)
        elif "pip install" not in code:
            for line in code.splitlines():
                run_line(*shlex.split(line))
    assert (tmp_path / "gravel.png").stat().st_size > 10_000
    assert (tmp_path / "occurrence.nc").is_file()


def run_line(program: str, *arguments: str) -> None:
    """A documented command, in this process: every start of Python would import the same libraries again."""
    if program == "nephoscope":
        done = run_command(*arguments[1:], command=arguments[0])
        assert done.returncode == 0, done.stderr
    else:
        assert (program, *arguments[:2]) == ("python", "-m", "docs.draw_days")
        draw_days.main(Path(arguments[2]))
