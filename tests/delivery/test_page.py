"""The page is whole, readable offline and to everyone, and shows what the stages found."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import stages.report
from pipeline.artifacts import Artifacts
from pipeline.delivery.data_uri import recompress
from pipeline.delivery.page_findings import read_table, show_faults, show_findings
from pipeline.delivery.page_gallery import choose_best, choose_worst
from pipeline.delivery.page_results import point_at
from pipeline.delivery.page_run import show_settings
from pipeline.delivery.page_tables import Cell, Table, show_dice, show_rules, to_cell
from pipeline.json_file import read_json
from pipeline.masks.rule import Rules
from pipeline.params import Params

VOID = {"meta", "link", "img", "br"}


class Outline(HTMLParser):
    """Every element with its attributes; fails on an element that is closed out of turn."""

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
def html(judged_run: tuple[Params, Artifacts]) -> str:
    params, artifacts = judged_run
    named = params.report.model_copy(update={"title": '<b>Clouds & "co"</b>'})
    stages.report.main(params.model_copy(update={"report": named}), artifacts)
    return artifacts.report.page.read_text("utf-8")


@pytest.fixture(scope="module")
def outline(html: str) -> Outline:
    return Outline(html)


def test_the_page_needs_no_network_and_no_script(html: str, outline: Outline) -> None:
    assert not re.search(r"https?://|@import|javascript:", html)
    assert not outline.all("script")
    assert not outline.all("link")
    assert all(str(image["src"]).startswith("data:image/webp;base64,") for image in outline.all("img"))


def test_texts_of_people_are_escaped(html: str) -> None:
    assert "<b>Clouds" not in html
    assert "&lt;b&gt;Clouds &amp; &#34;co&#34;&lt;/b&gt;" in html


def test_those_who_hear_the_page_miss_nothing(outline: Outline) -> None:
    assert all(image["alt"] for image in outline.all("img"))
    assert all(svg["aria-label"] and svg["role"] == "img" for svg in outline.all("svg"))
    assert len(outline.all("caption")) == len(outline.all("table"))
    assert all(heading["scope"] in ("row", "col") for heading in outline.all("th"))
    levels = [int(tag[1]) for tag, _ in outline.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert max(np.diff(levels)) <= 1, "no level of headings is left out"


def test_ids_are_unique_and_links_lead_somewhere(outline: Outline) -> None:
    counts = Counter(attributes["id"] for _, attributes in outline.elements if "id" in attributes)
    assert counts.most_common(1)[0][1] == 1
    assert {str(link["href"])[1:] for link in outline.all("a")} <= set(counts)


def test_every_colour_of_a_figure_is_defined(html: str) -> None:
    used, defined = set(re.findall(r"var\(--([\w-]+)\)", html)), set(re.findall(r"--([\w-]+):", html))
    assert used <= defined


def test_the_headline_stands_beside_its_interval_and_references(
    html: str, judged_run: tuple[Params, Artifacts]
) -> None:
    dice = read_json(judged_run[1].evaluate.metrics)["dice"]
    for number in (dice["mean"], dice["low"], dice["high"], *dice["references"].values()):
        assert f"{number:.3f}" in html
    for name in ("all masks empty", "perfect presence, whole image", "human union against human union, real pictures"):
        assert name in html


def test_the_gallery_shows_the_worst_and_the_best(html: str, judged_run: tuple[Params, Artifacts]) -> None:
    pictures = read_table(judged_run[1].evaluate.tables / "pictures.csv")["image_id"].tolist()
    shown = re.findall(r"<h4>(\S+)", html)
    assert shown[:3] == pictures[:3]
    assert len(shown) == 5
    assert html.count('alt="The picture') == 5


def test_findings_settings_and_members_are_told(html: str) -> None:
    for text in ("No faults were found", "Pictures per split", "optimiser.encoder_rate", "Members of the segmenter"):
        assert text in html


@pytest.mark.parametrize(
    ("value", "column", "text"),
    [
        (float("nan"), "f1", "n/a"),
        (None, "f1", "n/a"),
        (0.0, "f1", "0.000"),
        (1234567, "hit", "1,234,567"),
        (41003.7, "mean", "41,004"),
        (0.256, "visible_share", "25.6\N{NO-BREAK SPACE}%"),
        (True, "", "True"),
        ([256, 1600], "input_shape", "256 × 1600"),
    ],
)
def test_a_cell_reads_as_people_write(value: object, column: str, text: str) -> None:
    assert to_cell(value, column) == Cell(text)


def test_a_long_table_is_cut_and_says_so() -> None:
    table = Table.of_frame("t", pd.DataFrame({"a": range(20)}), limit=16, rest_in="a.csv")
    assert len(table.rows) == 16
    assert table.note == "4 more rows in a.csv"


def test_dice_stands_over_its_interval_where_it_has_one() -> None:
    rows = [("us", "mean", 0.5, 0.4, 0.6), ("us", "Fish", 0.7, 0.6, 0.8), ("human", "mean", 0.58, np.nan, np.nan)]
    frame = pd.DataFrame(rows, columns=["reference", "class_name", "dice", "low", "high"])
    table = show_dice("Dice", frame, "reference", ["mean", "Fish"])
    assert table.rows[0] == (Cell("us"), Cell("0.500", "0.400 to 0.600"), Cell("0.700", "0.600 to 0.800"))
    assert table.rows[1] == (Cell("human"), Cell("0.580"), Cell(""))


def test_a_rule_shows_seed_and_core_only_where_there_is_one(judged_run: tuple[Params, Artifacts]) -> None:
    rules = Rules.model_validate(read_json(judged_run[1].tune.rules))
    plain = {"seed_threshold": None, "core_threshold": None, "core_area": 0}
    never, *others = (rule.model_copy(update=plain) for rule in rules.rules)
    rules = rules.model_copy(update={"rules": (never, *others)})
    never = never.model_copy(update={"presence_threshold": 2.0, "seed_threshold": 200})
    others[0] = others[0].model_copy(update={"presence_threshold": 0.0})
    table = show_rules(rules.model_copy(update={"rules": (never, *others)}))
    assert "seed threshold" not in show_rules(rules).columns
    assert table.columns[-1] == "seed threshold"
    assert (table.rows[0][1], table.rows[0][-1]) == (Cell("never"), Cell("0.784", "level 200"))
    assert (table.rows[1][1], table.rows[1][-1]) == (Cell("every picture"), Cell("none"))


def test_the_point_of_a_threshold_is_the_last_that_reaches_it() -> None:
    curve = pd.DataFrame(
        {"threshold": [200 / 255, 128 / 255, 3 / 255], "recall": [0.1, 0.5, 1], "precision": [1, 0.8, 0.2]}
    )
    assert point_at(curve, 128 / 255) == (0.5, 0.8)
    assert point_at(curve, 129 / 255) == (0.1, 1.0)
    assert point_at(curve, 255 / 255) is None


def test_the_best_show_a_class_and_are_not_among_the_worst() -> None:
    pictures = pd.DataFrame({"image_id": ["a", "b", "c", "d"], "mean": [0.1, 0.4, 0.9, 1.0]})
    judgements = pd.DataFrame({"image_id": ["a", "b", "c", "d"], "truth_area": [5, 5, 5, 0]})
    worst = choose_worst(pictures, 2)
    assert worst == ["a", "b"]
    assert choose_best(pictures, judgements, 3, worst) == ["c"]


def test_names_stay_text_whatever_they_look_like(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("image_id,class_name,dice\n0012,nan,\nnull,1,0.5\n", "utf-8")
    table = read_table(path)
    assert table["image_id"].tolist() == ["0012", "null"]
    assert table["class_name"].tolist() == ["nan", "1"]
    assert np.isnan(table["dice"][0])


def test_findings_nobody_foresaw_come_last_and_none_are_fine(tmp_path: Path) -> None:
    assert show_findings(tmp_path / "nowhere") == ()
    (tmp_path / "a_new_one.csv").write_text("a,b\n1,2\n", "utf-8")
    (tmp_path / "samples.png").write_bytes(b"no picture")
    first, last = show_findings(tmp_path)
    assert (first.source, first.table) == (None, None)
    assert (last.caption, last.source) == ("a new one", None)


def test_faults_are_counted_by_kind(tmp_path: Path) -> None:
    path = tmp_path / "faults.csv"
    path.write_text("kind,file,row,message,image_id\nbad_rle,t.csv,2,odd count,a\nbad_rle,t.csv,3,x,b\n", "utf-8")
    table = show_faults(path)
    assert table is not None
    assert table.rows == ((Cell("bad_rle"), Cell("2"), Cell("odd count")),)
    path.write_text("kind,file,row,message,image_id\n", "utf-8")
    assert show_faults(path) is None


def test_settings_are_shown_in_full() -> None:
    tables = {table.caption: {row[0].text: row[1].text for row in table.rows} for table in show_settings(Params())}
    assert set(tables) == set(Params.model_fields)
    assert tables["train_segmenter"]["loss"] == "bce 0.75, dice 0.25"
    assert tables["train_segmenter"]["optimiser.name"] == "adamw"
    assert tables["tune"]["calibrate"] == "yes"
    assert tables["report"]["earlier"] == "none"
    assert tables["tune"]["pixel_thresholds"] == "1, 2, 3, …, 255 (255 values)"


def test_what_is_no_picture_is_left_out() -> None:
    assert recompress(b"") is None
    assert recompress(b"not a picture") is None
