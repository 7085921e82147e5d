"""The report is complete, accessible, readable offline, and shows what the stages wrote."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nephoscope.artifacts import Artifacts
from nephoscope.data.manifest import Manifest
from nephoscope.evaluation.tables import read_table, read_tables
from nephoscope.figures.tables import Cell, Table, show_dice, show_rules, to_cell
from nephoscope.files import read_json
from nephoscope.report.data_profile import show_problems, show_profile
from nephoscope.report.gallery import choose_best, choose_median, choose_worst, with_annotations
from nephoscope.report.results import show_results
from nephoscope.report.run import show_settings
from nephoscope.rules.rules import Rules
from nephoscope.settings.params import Params

VOID = {"meta", "link", "img", "br", "input"}


class Outline(HTMLParser):
    """Every element with its attributes; fails if elements are not nested properly."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def html(labelled_report: Path) -> str:
    return labelled_report.read_text("utf-8")


@pytest.fixture(scope="module")
def outline(html: str) -> Outline:
    return Outline(html)


def test_the_page_needs_no_network(html: str, outline: Outline) -> None:
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|javascript:", html)
    assert not outline.all("link")
    assert not any("src" in script for script in outline.all("script"))
    embedded = [str(image["src"]) for image in outline.all("img")] + [
        str(image["href"]) for image in outline.all("image")
    ]
    assert all(re.match(r"data:image/(webp|png);base64,", source) for source in embedded)
    (policy,) = (str(meta["content"]) for meta in outline.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_texts_from_settings_are_escaped(html: str) -> None:
    assert "<b>Clouds" not in html
    assert "&lt;b&gt;Clouds &amp; &#34;co&#34;&lt;/b&gt;" in html


def test_a_screen_reader_can_read_everything(outline: Outline) -> None:
    assert all(image["alt"] for image in outline.all("img"))
    assert all(svg["aria-label"] and svg["role"] == "img" for svg in outline.all("svg"))
    assert [len(outline.all(landmark)) for landmark in ("header", "nav", "main")] == [1, 1, 1]
    assert len(outline.all("caption")) == len(outline.all("table"))
    assert all(heading["scope"] in ("row", "col") for heading in outline.all("th"))
    levels = [int(tag[1]) for tag, _ in outline.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert max(np.diff(levels)) <= 1, "no heading level is skipped"


def test_ids_are_unique_and_links_have_targets(outline: Outline) -> None:
    counts = Counter(attributes["id"] for _, attributes in outline.elements if "id" in attributes)
    assert counts.most_common(1)[0][1] == 1
    assert {str(link["href"])[1:] for link in outline.all("a")} <= set(counts)


def test_every_colour_of_a_figure_is_defined(html: str) -> None:
    used, defined = set(re.findall(r"var\(--([\w-]+)\)", html)), set(re.findall(r"--([\w-]+):", html))
    assert used <= defined


def test_the_headline_has_its_interval_and_references(html: str, labelled_run: tuple[Params, Artifacts]) -> None:
    dice = read_table(labelled_run[1].evaluate.tables / "dice.csv").query("class_name == 'mean'")
    for number in dice[["dice", "low", "high"]].melt()["value"].dropna():
        assert f"{number:.3f}" in html
    for name in ("all masks empty", "perfect presence, whole image", "human union against human union, real images"):
        assert name in html


def test_human_agreement_comes_after_the_headline_and_before_the_classes(html: str) -> None:
    places = [html.index(text) for text in ('<p class="figure ours">', "<strong>0.584</strong>", '<ul class="cards"')]
    assert places == sorted(places)
    assert places[-1] < html.index("<table")
    assert html.count("human agreement on real images 0.5") == 3, "and that of Flower is above 0.7"


def test_without_measured_human_agreement_none_is_shown(labelled_run: tuple[Params, Artifacts]) -> None:
    artifacts = labelled_run[1]
    tables, curves = read_tables(artifacts.evaluate.tables), read_tables(artifacts.evaluate.plots)
    alone = tables["dice"][~tables["dice"]["reference"].str.contains("human")]
    results = show_results({**tables, "dice": alone}, curves, Rules.model_validate(read_json(artifacts.tune.rules)))
    assert results.humans == ()
    assert {card.human for card in results.cards} == {""}


def test_the_gallery_shows_best_median_and_worst(html: str, labelled_run: tuple[Params, Artifacts]) -> None:
    pictures = read_table(labelled_run[1].evaluate.tables / "pictures.csv")["image_id"].tolist()
    shown = re.findall(r"<h4>(\S+)", html)
    assert re.findall(r'data-group="(\w+)"', html) == ["best", "median", "worst"]
    assert shown[3:] == pictures[:3]
    assert len(set(shown)) == len(shown) == 6
    assert html.count('aria-label="Image ') == len(re.findall(r'<image id="p\d', html)) == 6, "each is embedded once"


def test_problems_splits_settings_and_members_are_shown(html: str) -> None:
    for text in ("No problems were found", "Images per split", "optimiser.encoder_rate", "Members of the segmenter"):
        assert text in html


@pytest.mark.parametrize(
    ("value", "column", "text"),
    [
        (float("nan"), "f1", "n/a"),
        (None, "f1", "n/a"),
        (0.0, "f1", "0.000"),
        (1234567, "hit", "1,234,567"),
        (41003.7, "mean", "41,004"),
        (358.0, "min", "358"),
        (0.256, "visible_share", "25.6\N{NO-BREAK SPACE}%"),
        (True, "", "True"),
        ([256, 1600], "input_shape", "256 × 1600"),
    ],
)
def test_a_cell_formats_its_value(value: object, column: str, text: str) -> None:
    assert to_cell(value, column) == Cell(text)


def test_a_long_table_is_cut_with_a_note() -> None:
    table = Table.of_frame("t", pd.DataFrame({"a": range(20)}), limit=16, rest_in="a.csv")
    assert len(table.rows) == 16
    assert table.note == "4 more rows in a.csv"


def test_a_dice_cell_has_the_interval_as_detail() -> None:
    rows = [("us", "mean", 0.5, 0.4, 0.6), ("us", "Fish", 0.7, 0.6, 0.8), ("human", "mean", 0.58, np.nan, np.nan)]
    frame = pd.DataFrame(rows, columns=["reference", "class_name", "dice", "low", "high"])
    table = show_dice("Dice", frame, "reference", ["mean", "Fish"])
    assert table.rows[0] == (Cell("us"), Cell("0.500", "0.400 to 0.600"), Cell("0.700", "0.600 to 0.800"))
    assert table.rows[1] == (Cell("human"), Cell("0.580"), Cell(""))


def test_rules_without_a_presence_threshold_or_never_shown_are_named(labelled_run: tuple[Params, Artifacts]) -> None:
    rules = Rules.model_validate(read_json(labelled_run[1].tune.rules))
    never, always, *others = rules.rules
    never, always = (
        rule.model_copy(update={"presence_threshold": threshold}) for rule, threshold in ((never, 2.0), (always, 0.0))
    )
    table = show_rules(rules.model_copy(update={"rules": (never, always, *others)}))
    assert [row[1] for row in table.rows[:2]] == [Cell("never"), Cell("every image")]


def test_best_and_median_images_contain_a_class_and_no_image_repeats() -> None:
    pictures = pd.DataFrame({"image_id": list("abcdefg"), "mean": [0.1, 0.2, 0.4, 0.5, 0.8, 0.9, 1.0]})
    scores = pd.DataFrame({"image_id": list("abcdefg"), "truth_area": [5, 5, 5, 5, 5, 5, 0]})
    showing = with_annotations(pictures, scores)
    assert choose_worst(pictures, 2) == ["a", "b"]
    assert choose_best(showing, 2, {"a", "b"}) == ["f", "e"]
    assert choose_median(showing, 1, {"a", "b", "f", "e"}) == ["c"]
    assert choose_median(showing, 9, {"a", "b"}) == ["c", "d", "e", "f"]
    assert choose_best(showing, 9, {"a", "b", "f"}) == ["e", "d", "c"]


def test_names_that_look_like_numbers_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("image_id,class_name,dice\n0012,nan,\nnull,1,0.5\n", "utf-8")
    table = read_table(path)
    assert table["image_id"].tolist() == ["0012", "null"]
    assert table["class_name"].tolist() == ["nan", "1"]
    assert np.isnan(table["dice"][0])


def test_unknown_files_of_the_profile_come_last_and_an_empty_profile_is_allowed(
    tmp_path: Path, labelled_run: tuple[Params, Artifacts]
) -> None:
    prepare = labelled_run[1].prepare
    manifest = Manifest.load(prepare.manifest)
    assert show_profile(tmp_path / "nowhere", manifest) == ()
    (tmp_path / "a_new_one.csv").write_text("a,b\n1,2\n", "utf-8")
    (tmp_path / "samples.png").write_bytes(b"no picture")
    first, last = show_profile(tmp_path, manifest)
    assert (first.source, first.drawing, first.table) == (None, None, None)
    assert (last.caption, last.source, last.drawing) == ("a new one", None, None)


def test_profile_figures_use_the_colours_of_the_page(html: str) -> None:
    chapter = html[html.index('<section id="data">') : html.index('<section id="settings">')]
    assert chapter.count("<svg") == 4
    assert chapter.count("<img") == 1, "samples are photographs"
    assert "fill: var(--class-0)" in chapter


def test_problems_are_counted_by_kind(tmp_path: Path) -> None:
    path = tmp_path / "problems.csv"
    path.write_text("kind,file,row,message,image_id\nbad_rle,t.csv,2,odd count,a\nbad_rle,t.csv,3,x,b\n", "utf-8")
    table = show_problems(path)
    assert table is not None
    assert table.rows == ((Cell("bad_rle"), Cell("2"), Cell("odd count")),)
    path.write_text("kind,file,row,message,image_id\n", "utf-8")
    assert show_problems(path) is None


def test_settings_are_shown_in_full() -> None:
    tables = {table.caption: {row[0].text: row[1].text for row in table.rows} for table in show_settings(Params())}
    assert set(tables) == set(Params.model_fields)
    assert tables["train_segmenter"]["loss"] == "bce 0.75, dice 0.25"
    assert tables["train_segmenter"]["optimiser.name"] == "adamw"
    assert tables["tune"]["calibrate"] == "yes"
    assert tables["report"]["earlier"] == "none"
    assert tables["tune"]["pixel_thresholds"] == "1, 2, 3, …, 255 (255 values)"
