"""The report in a real browser, offline: cursors, filters, print, contrast and keyboard."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nephoscope.artifacts import Artifacts
from nephoscope.evaluation.error_types import error_types_of
from nephoscope.evaluation.tables import read_table
from nephoscope.files import read_json
from nephoscope.report.curves import point_at
from nephoscope.rules.rules import Rules
from nephoscope.settings.params import Params
from tests.builders.browser import open_browser, open_page

pytestmark = pytest.mark.slow
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
    // Labels on bars and cells have the figure as background.
    && !(element.closest("svg") && element.textContent.includes("%"))
    && !element.closest("svg[aria-label^='Co-occurrence']"));
  const contrasts = texts.map(element => {
    const style = getComputedStyle(element);
    const luminances = [luminance(element.closest("svg") ? style.fill : style.color), luminance(paper(element))];
    const [dark, light] = luminances.sort((low, high) => low - high);
    return [(light + 0.05) / (dark + 0.05), element.textContent.trim().slice(0, 60)];
  });
  return [texts.length, ...contrasts.reduce((lowest, contrast) => contrast[0] < lowest[0] ? contrast : lowest)];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def shown(labelled_run: tuple[Params, Artifacts], labelled_report: Path) -> pd.DataFrame:
    """image_id, class_name, kind of everything that the gallery shows."""
    scores = read_table(labelled_run[1].evaluate.tables / "scores.csv")
    ids = re.findall(r"<h4>(\S+)", labelled_report.read_text("utf-8"))
    table = scores.assign(kind=error_types_of(scores))
    return table[table["image_id"].isin(ids) & ((table["truth_area"] > 0) | (table["predicted_area"] > 0))]


@pytest.fixture
def page(browser: Any, labelled_report: Path) -> Iterator[Any]:
    with open_page(browser, labelled_report, viewport=WIDE) as opened:
        yield opened


def readout(page: Any, plot: str) -> dict[str, float | str]:
    text = page.locator(f"#plot-{plot} .readout").inner_text()
    name, rest = text.split(": ", 1)
    numbers = re.findall(r"(threshold|precision|recall) ([\d.]+)", rest)
    return {"class": name, "tuned": "(tuned)" in rest, **{key: float(value) for key, value in numbers}}


def test_the_cursor_shows_threshold_precision_and_recall(page: Any, labelled_run: tuple[Params, Artifacts]) -> None:
    canvas = page.locator("#plot-pixels .canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.4 * box["height"])
    read = readout(page, "pixels")
    curves = read_table(labelled_run[1].evaluate.plots / "pixels.csv")
    curve = curves[curves["class_name"] == read["class"]]
    nearest = curve.iloc[(curve["threshold"] - read["threshold"]).abs().argmin()]
    assert (read["recall"], read["precision"]) == pytest.approx((nearest["recall"], nearest["precision"]), abs=6e-4)


def test_the_cursor_is_drawn_at_the_point_it_describes(page: Any) -> None:
    page.locator("#plot-pixels .canvas").focus()
    dot, drawn = page.evaluate("""() => ["#plot-pixels .cursor circle", "#pixels-chosen-0"].map(place => {
      const box = document.querySelector(place).getBoundingClientRect();
      return [box.x + box.width / 2, box.y + box.height / 2];
    })""")
    assert dot == pytest.approx(drawn, abs=1)


def test_arrow_keys_move_along_the_curve_and_to_the_next_class(
    page: Any, labelled_run: tuple[Params, Artifacts]
) -> None:
    artifacts = labelled_run[1]
    rules = Rules.model_validate(read_json(artifacts.tune.rules))
    curves = read_table(artifacts.evaluate.plots / "pixels.csv")
    canvas = page.locator("#plot-pixels .canvas")
    canvas.focus()
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
    assert canvas.get_attribute("aria-valuetext") == page.locator("#plot-pixels .readout").inner_text()


def test_a_hidden_class_is_neither_visible_nor_reached_by_the_cursor(page: Any) -> None:
    page.locator("#plot-pixels").get_by_role("checkbox", name="Fish").uncheck()
    assert not page.locator("#pixels-curve-0").is_visible()
    assert page.locator("#pixels-curve-1").is_visible()
    assert page.locator("#presence-curve-0").is_visible(), "each plot has its own legend"
    page.locator("#plot-pixels .canvas").focus()
    assert readout(page, "pixels")["class"] == "Flower"
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert readout(page, "pixels")["class"] == "Flower", "a full round skips Fish"


def visible_images(page: Any) -> list[str]:
    return [title.split()[0] for title in page.locator(".image:visible h4").all_text_contents()]


def test_the_gallery_is_filtered_by_class_and_outcome(page: Any, shown: pd.DataFrame) -> None:
    everything = visible_images(page)
    count = page.locator(".gallery output")
    assert count.get_attribute("aria-live") == "polite"
    for class_name, kind in (("Sugar", ""), ("", "missed"), ("Sugar", "right"), ("Fish", "false alarm")):
        page.locator("select[name=class]").select_option(class_name)
        page.locator("select[name=kind]").select_option(kind)
        rows = shown[shown["class_name"].isin([class_name]) | (class_name == "")]
        rows = rows[rows["kind"].isin([kind]) | (kind == "")]
        expected = [image_id for image_id in everything if image_id in set(rows["image_id"])]
        assert visible_images(page) == expected
        assert count.inner_text() == f"Showing {len(expected)} of {len(everything)} images"
        assert page.locator(".tile.matching:visible").count() == len(rows)


def test_the_gallery_is_filtered_from_the_keyboard(page: Any) -> None:
    page.locator("select[name=group]").focus()
    page.keyboard.type("wor")
    assert page.locator(".gallery output").inner_text() == "Showing 3 of 6 images"
    assert page.locator(".group:visible h3").all_text_contents() == ["Worst images"]
    page.get_by_role("button", name="Show all").focus()
    page.keyboard.press("Enter")
    assert len(visible_images(page)) == 6


def test_print_shows_hidden_parts_and_no_controls(page: Any) -> None:
    page.locator("#plot-pixels").get_by_role("checkbox", name="Fish").uncheck()
    page.locator("select[name=group]").select_option("best")
    page.emulate_media(media="print", color_scheme="dark")
    assert len(visible_images(page)) == 6
    assert page.locator("#pixels-curve-0").is_visible()
    assert not page.locator(".control:visible, nav:visible, .cursor:visible").count()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)", "paper is white"


def test_everything_is_shown_without_scripts(browser: Any, labelled_report: Path) -> None:
    with open_page(browser, labelled_report, viewport=WIDE, java_script_enabled=False) as page:
        assert page.locator(".image:visible").count() == 6
        assert page.locator("#plot-presence svg").is_visible()
        assert "AP 0." in page.locator("#plot-presence .keys").inner_text()
        assert not page.locator(".control:visible").count()


@pytest.mark.parametrize("name", ["report.html", "label_issues.html"])
def test_a_phone_scrolls_only_vertically(browser: Any, labelled_report: Path, name: str) -> None:
    with open_page(browser, labelled_report.with_name(name), viewport=PHONE) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("name", ["report.html", "label_issues.html"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(browser: Any, labelled_report: Path, name: str, scheme: str) -> None:
    with open_page(browser, labelled_report.with_name(name), viewport=WIDE, color_scheme=scheme) as page:
        texts, contrast, text = page.evaluate(LOWEST_CONTRAST)
    assert texts > 20
    assert contrast >= 4.5, text


def test_the_first_tab_skips_the_contents_and_focus_is_always_visible(page: Any) -> None:
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    assert focused.inner_text() == "Skip to the results"
    assert focused.bounding_box()["x"] >= 0
    for stop in ("nav a", ".plot .canvas", ".plot input", ".filter select", ".scroll"):
        page.locator(stop).first.focus()
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", stop


def test_the_contents_mark_the_current_chapter(page: Any) -> None:
    page.locator("#training h2").evaluate("heading => heading.scrollIntoView({ behavior: 'instant' })")
    page.wait_for_selector("nav a[href='#training'][aria-current]")
    assert page.locator("nav a[aria-current]").count() == 1
