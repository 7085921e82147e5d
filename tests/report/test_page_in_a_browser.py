"""The page in a real browser, offline: what moves, what is put away, and that nobody is left out."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import stages.report
from nephoscope.artifacts import Artifacts
from nephoscope.evaluation.error_types import error_types_of
from nephoscope.evaluation.tables import read_table
from nephoscope.files import read_json
from nephoscope.report.curves import point_at
from nephoscope.rules.rules import Rules
from nephoscope.settings.params import Params
from tests.builders.browser import open_browser, open_page

WIDE, PHONE = {"width": 1300, "height": 900}, {"width": 360, "height": 700}
LOWEST_CONTRAST = """() => {
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const linear = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = colour => {
    const [red, green, blue] = parts(colour).map(linear);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const paper = element => {
    const colour = getComputedStyle(element).backgroundColor;
    return (parts(colour)[3] ?? 1) > 0 || !element.parentElement ? colour : paper(element.parentElement);
  };
  const texts = [...document.querySelectorAll("body *")].filter(element =>
    [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())
    && !element.closest("script, style, option") && element.checkVisibility()
    // What is written on bars and cells stands on the figure's own colours.
    && !(element.closest("svg") && element.textContent.includes("%"))
    && !element.closest("svg[aria-label^='Classes that are seen together']"));
  const contrasts = texts.map(element => {
    const style = getComputedStyle(element);
    const pair = [luminance(element.closest("svg") ? style.fill : style.color), luminance(paper(element))];
    return [(Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05), element.textContent.trim().slice(0, 60)];
  });
  return [texts.length, ...contrasts.reduce((low, one) => one[0] < low[0] ? one : low)];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def report(labelled_run: tuple[Params, Artifacts]) -> Path:
    params, artifacts = labelled_run
    stages.report.main(params, artifacts)
    return artifacts.report.page


@pytest.fixture(scope="module")
def shown(labelled_run: tuple[Params, Artifacts], report: Path) -> pd.DataFrame:
    """image_id, class_name, kind of everything that the gallery shows."""
    scores = read_table(labelled_run[1].evaluate.tables / "scores.csv")
    ids = re.findall(r"<h4>(\S+)", report.read_text("utf-8"))
    table = scores.assign(kind=error_types_of(scores))
    return table[table["image_id"].isin(ids) & ((table["truth_area"] > 0) | (table["predicted_area"] > 0))]


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    with open_page(browser, report, viewport=WIDE) as opened:
        yield opened


def readout(page: Any, plot: str) -> dict[str, float | str]:
    text = page.locator(f"#plot-{plot} .readout").inner_text()
    name, rest = text.split(": ", 1)
    numbers = re.findall(r"(threshold|precision|recall) ([\d.]+)", rest)
    return {"class": name, "tuned": "(tuned)" in rest, **{key: float(value) for key, value in numbers}}


def test_a_cursor_on_a_curve_tells_threshold_precision_and_recall(
    page: Any, labelled_run: tuple[Params, Artifacts]
) -> None:
    stage = page.locator("#plot-pixels .stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.4 * box["height"])
    read = readout(page, "pixels")
    curves = read_table(labelled_run[1].evaluate.plots / "pixels.csv")
    curve = curves[curves["class_name"] == read["class"]]
    nearest = curve.iloc[(curve["threshold"] - read["threshold"]).abs().argmin()]
    assert (read["recall"], read["precision"]) == pytest.approx((nearest["recall"], nearest["precision"]), abs=6e-4)


def test_the_cursor_stands_on_the_point_it_speaks_of(page: Any) -> None:
    page.locator("#plot-pixels .stage").focus()
    dot, drawn = page.evaluate("""() => ["#plot-pixels .cursor circle", "#pixels-chosen-0"].map(place => {
      const box = document.querySelector(place).getBoundingClientRect();
      return [box.x + box.width / 2, box.y + box.height / 2];
    })""")
    assert dot == pytest.approx(drawn, abs=1)


def test_keys_walk_from_the_tuned_point_along_the_curve_and_to_the_next_class(
    page: Any, labelled_run: tuple[Params, Artifacts]
) -> None:
    artifacts = labelled_run[1]
    rules = Rules.model_validate(read_json(artifacts.tune.rules))
    curves = read_table(artifacts.evaluate.plots / "pixels.csv")
    stage = page.locator("#plot-pixels .stage")
    stage.focus()
    tuned = readout(page, "pixels")
    expected = point_at(curves[curves["class_name"] == "Fish"], rules.rules[0].pixel_threshold / 255)
    assert tuned["class"] == "Fish"
    assert tuned["tuned"]
    assert (tuned["recall"], tuned["precision"]) == pytest.approx(expected, abs=6e-4)
    page.keyboard.press("ArrowRight")
    further = readout(page, "pixels")
    assert further["threshold"] < tuned["threshold"]
    assert further["recall"] >= tuned["recall"]
    assert not further["tuned"]
    page.keyboard.press("ArrowLeft")
    assert readout(page, "pixels") == tuned
    page.keyboard.press("End")
    assert readout(page, "pixels")["recall"] == 1
    page.keyboard.press("ArrowDown")
    assert readout(page, "pixels")["class"] == "Flower"
    assert stage.get_attribute("aria-valuetext") == page.locator("#plot-pixels .readout").inner_text()


def test_a_class_that_is_put_away_is_neither_seen_nor_walked_on(page: Any) -> None:
    page.locator("#plot-pixels").get_by_role("checkbox", name="Fish").uncheck()
    assert not page.locator("#pixels-curve-0").is_visible()
    assert page.locator("#pixels-curve-1").is_visible()
    assert page.locator("#presence-curve-0").is_visible(), "each plot has its own key"
    page.locator("#plot-pixels .stage").focus()
    assert readout(page, "pixels")["class"] == "Flower"
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert readout(page, "pixels")["class"] == "Flower", "all the way round, and Fish is passed over"


def visible_pictures(page: Any) -> list[str]:
    return [title.split()[0] for title in page.locator(".picture:visible h4").all_text_contents()]


def test_the_gallery_is_filtered_by_class_and_kind_of_error(page: Any, shown: pd.DataFrame) -> None:
    everything = visible_pictures(page)
    count = page.locator(".gallery output")
    assert count.get_attribute("aria-live") == "polite"
    for class_name, kind in (("Sugar", ""), ("", "missed"), ("Sugar", "right"), ("Fish", "false alarm")):
        page.locator("select[name=class]").select_option(class_name)
        page.locator("select[name=kind]").select_option(kind)
        rows = shown[shown["class_name"].isin([class_name]) | (class_name == "")]
        rows = rows[rows["kind"].isin([kind]) | (kind == "")]
        expected = [image_id for image_id in everything if image_id in set(rows["image_id"])]
        assert visible_pictures(page) == expected
        assert count.inner_text() == f"{len(expected)} of {len(everything)} pictures are shown"
        assert page.locator(".tile.meant:visible").count() == len(rows)


def test_the_gallery_is_filtered_from_the_keyboard(page: Any) -> None:
    page.locator("select[name=group]").focus()
    page.keyboard.type("wor")
    assert page.locator(".gallery output").inner_text() == "3 of 6 pictures are shown"
    assert page.locator(".group:visible h3").all_text_contents() == ["The worst"]
    page.get_by_role("button", name="Show all").focus()
    page.keyboard.press("Enter")
    assert len(visible_pictures(page)) == 6


def test_print_shows_what_a_reader_put_away_and_no_controls(page: Any) -> None:
    page.locator("#plot-pixels").get_by_role("checkbox", name="Fish").uncheck()
    page.locator("select[name=group]").select_option("best")
    page.emulate_media(media="print", color_scheme="dark")
    assert len(visible_pictures(page)) == 6
    assert page.locator("#pixels-curve-0").is_visible()
    assert not page.locator(".control:visible, nav:visible, .cursor:visible").count()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)", "paper is white"


def test_everything_is_there_without_a_script(browser: Any, report: Path) -> None:
    with open_page(browser, report, viewport=WIDE, java_script_enabled=False) as page:
        assert page.locator(".picture:visible").count() == 6
        assert page.locator("#plot-presence svg").is_visible()
        assert "AP 0." in page.locator("#plot-presence .keys").inner_text()
        assert not page.locator(".control:visible").count()


@pytest.mark.parametrize("name", ["report.html", "label_issues.html"])
def test_a_phone_scrolls_up_and_down_alone(browser: Any, report: Path, name: str) -> None:
    with open_page(browser, report.with_name(name), viewport=PHONE) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("name", ["report.html", "label_issues.html"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_paper(browser: Any, report: Path, name: str, scheme: str) -> None:
    with open_page(browser, report.with_name(name), viewport=WIDE, color_scheme=scheme) as page:
        texts, contrast, text = page.evaluate(LOWEST_CONTRAST)
    assert texts > 20
    assert contrast >= 4.5, text


def test_the_first_key_leads_past_the_contents_and_every_stop_can_be_seen(page: Any) -> None:
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    assert focused.inner_text() == "Skip to the results"
    assert focused.bounding_box()["x"] >= 0
    for stop in ("nav a", ".plot .stage", ".plot input", ".filter select", ".scroll"):
        page.locator(stop).first.focus()
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", stop


def test_the_contents_tell_where_the_reader_is(page: Any) -> None:
    page.locator("#training h2").evaluate("heading => heading.scrollIntoView({ behavior: 'instant' })")
    page.wait_for_selector("nav a[href='#training'][aria-current]")
    assert page.locator("nav a[aria-current]").count() == 1
