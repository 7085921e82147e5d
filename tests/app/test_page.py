"""The page in a real browser."""

import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from nephoscope.app.state import AppState
from nephoscope.data.images import read_image
from nephoscope.earth.grid import Grid
from nephoscope.masks.rle import decode_rle
from tests.builders.app_requests import uniform_rules
from tests.builders.browser import open_browser
from tests.builders.placed_pictures import write_geotiff

pytestmark = pytest.mark.slow
PATIENCE = 30_000  # ms, on a busy machine
SLOW = {"offline": False, "latency": 150, "downloadThroughput": 400_000, "uploadThroughput": 60_000}
FAST = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
Opener = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with open_browser() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser, server: str) -> Iterator[Opener]:
    """Opens the page as a new visitor. Unexpected console messages and foreign requests fail the test."""
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def visit(address: str = server, expected: str = "", **options: object) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()

        def record(text: str) -> None:
            if not (expected and re.search(expected, text)):
                problems.append(text)

        page.on("console", lambda message: message.type in ("error", "warning") and record(message.text))
        page.on("pageerror", lambda error: record(str(error)))
        page.on("request", lambda request: request.url.startswith((address, "blob:", "data:")) or record(request.url))
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not problems


def bring(page: Page, *paths: Path) -> None:
    """Choose files and wait until the last one is decided."""
    page.set_input_files("#files", list(paths))
    expect(page.locator("#strip button")).to_have_count(len(paths))
    expect(page.locator("#strip button").last).to_have_attribute("aria-current", "true")
    wait_until_decided(page)


def wait_until_decided(page: Page) -> None:
    expect(page.locator("#classes .facts").last).not_to_be_empty()
    expect(page.locator("#viewer")).to_have_attribute("aria-busy", "false")


def set_slider(page: Page, key: str, value: float) -> None:
    """Set the value and send the event, as dragging does."""
    page.locator(f"#slider-{key}").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', { bubbles: true })) }",
        value,
    )


def outline(page: Page, index: int) -> str:
    return page.locator("#predicted .line").nth(index).get_attribute("d") or ""


def wait_for_outline(page: Page, index: int, other_than: str) -> str:
    expect(page.locator("#predicted .line").nth(index)).not_to_have_attribute("d", other_than)
    return outline(page, index)


def draw_all(page: Page) -> None:
    """Open a link with rules under which every class has a mask."""
    page.goto(page.url.partition("#")[0] + "#rule=" + ";".join(["0,5,0"] * 4))
    page.reload()
    page.wait_for_selector("html[data-ready]")


def test_an_image_is_decided_and_shown(visit: Opener, picture: Path, opened: AppState) -> None:
    page = visit()
    expect(page.get_by_role("button", name="Drop satellite images here")).to_be_visible()
    expect(page.locator("#curves")).to_be_hidden()  # no run was given
    expect(page.get_by_role("button", name="Holdout")).to_be_hidden()
    bring(page, picture)
    expect(page.get_by_alt_text(f"Satellite image {picture.name}")).to_be_visible()
    assert page.locator("#image").evaluate("image => [image.naturalHeight, image.naturalWidth]") == [350, 525]
    results = page.request.post(f"{page.url}api/predict", data=picture.read_bytes()).json()["classes"]
    for row, result in zip(page.locator("#classes li").all(), results, strict=True):
        expect(row.locator(".presence")).to_have_text(f"{round(100 * result['presence'])} %")
        expect(row.locator(".unsure")).to_be_visible(visible=result["unsure"])
        expect(row.locator(".facts")).to_contain_text(f"{round(100 * result['confidence'])} % sure")
    drawn = [bool(outline(page, index)) for index in range(4)]
    assert drawn == [bool(result["rle"]) for result in results]
    expect(page.locator("#status")).to_contain_text("Fish")
    assert len(opened.rules.classes) == page.locator("#classes li").count()


def test_sliders_change_masks_and_numbers_and_can_be_reset(visit: Opener, picture: Path) -> None:
    page = visit()
    bring(page, picture)
    tuned = outline(page, 3)
    page.get_by_text("Sugar", exact=True).last.click()
    set_slider(page, "presence_threshold", 0)
    set_slider(page, "pixel_threshold", 30)
    set_slider(page, "min_area", 0)
    low = wait_for_outline(page, 3, tuned)
    expect(page.locator("#slider-pixel_threshold ~ output, output[for=slider-pixel_threshold]")).to_have_text(
        "30 (0.12)"
    )
    metadata = page.locator("[data-class=Sugar] .facts")
    expect(metadata).to_contain_text("present")
    wide = metadata.inner_text()
    set_slider(page, "pixel_threshold", 120)
    wait_for_outline(page, 3, low)
    expect(metadata).not_to_have_text(wide)
    assert "#rule=" in page.url
    page.get_by_role("button", name="Reset to tuned").click()
    expect(page.locator("#predicted .line").nth(3)).to_have_attribute("d", tuned)
    expect(page.get_by_role("button", name="Reset to tuned")).to_be_disabled()
    assert "#rule=" not in page.url


def test_a_link_keeps_the_rules_and_invalid_links_are_ignored(visit: Opener, picture: Path) -> None:
    page = visit()
    bring(page, picture)
    draw_all(page)
    wait_until_decided(page)
    assert all(outline(page, index) for index in range(4))
    expect(page.locator("output[for=slider-pixel_threshold]")).to_have_text("5 (0.02)")
    for invalid in ("1,2", "0,0,0;0,60,0;0,60,0;0,60,0", "<b>", "0,60,0,9;0,60,0;0,60,0;0,60,0"):
        page.goto(page.url.partition("#")[0] + f"#rule={invalid}")
        page.reload()
        page.wait_for_selector("html[data-ready]")
        expect(page.get_by_role("button", name="Reset to tuned")).to_be_disabled()


def test_rules_can_be_copied(visit: Opener, opened: AppState) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    set_slider(page, "pixel_threshold", 7)
    page.get_by_role("button", name="Copy as JSON").click()
    expect(page.locator("#status")).to_have_text("Rules copied")
    copied = opened.rules.model_validate(json.loads(page.evaluate("navigator.clipboard.readText()")))
    assert copied.rules[0] == opened.rules.rules[0].model_copy(update={"pixel_threshold": 7})
    assert copied.rules[1:] == opened.rules.rules[1:]
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#status")).to_have_text("Link copied")
    linked = page.evaluate("navigator.clipboard.readText()").partition("#")[2].split(";")[0]
    assert linked.endswith(f",7,{opened.rules.rules[0].min_area}")


def test_classes_can_be_hidden_and_opacity_changed(visit: Opener, picture: Path) -> None:
    page = visit()
    bring(page, picture)
    draw_all(page)
    wait_until_decided(page)
    first = page.locator("#predicted > g").first
    expect(first).to_be_visible()
    page.get_by_label("Show Fish on the image").uncheck()
    expect(first).to_be_hidden()
    page.get_by_label("Show Fish on the image").check()
    expect(first).to_be_visible()
    shade = "line => getComputedStyle(line).fillOpacity"
    page.get_by_label("Opacity of the masks").fill("0.8")
    assert first.locator(".line").evaluate(shade) == "0.8"


def test_downloads_contain_what_is_shown(visit: Opener, picture: Path, tmp_path: Path) -> None:
    page = visit()
    bring(page, picture)
    draw_all(page)
    wait_until_decided(page)
    saved = {}
    for name in ("RLE (CSV)", "Masks (PNG)", "Outlines (GeoJSON)"):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name).click()
        saved[name] = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(saved[name])
    table = pd.read_csv(saved["RLE (CSV)"], keep_default_na=False)
    shares = [round(100 * decode_rle(rle, (350, 525)).mean()) for rle in table["EncodedPixels"]]
    metadata = page.locator("#classes .facts").all_inner_texts()
    assert [f"covers {share} %" in message for share, message in zip(shares, metadata, strict=True)] == [True] * 4
    with zipfile.ZipFile(saved["Masks (PNG)"]) as archive:
        assert len(archive.namelist()) == 4
    outlines = json.loads(saved["Outlines (GeoJSON)"].read_text("utf-8"))
    assert [result["geometry"]["type"] for result in outlines["features"]] == ["MultiPolygon"] * 4


def test_truth_is_drawn_and_dice_follows_the_rules(visit: Opener, picture: Path, scenes: Path) -> None:
    page = visit()
    bring(page, picture)
    page.set_input_files("#files", scenes / "train.csv")
    expect(page.locator("#mean")).to_contain_text("mean Dice")
    expect(page.get_by_label("Truth (dashed)")).to_be_checked()
    assert any(path.get_attribute("d") for path in page.locator("#truth .line").all())
    before = page.locator("#mean").inner_text()
    set_slider(page, "presence_threshold", 0)
    set_slider(page, "min_area", 0)
    set_slider(page, "pixel_threshold", 5)
    expect(page.locator("#mean")).not_to_have_text(before)
    page.get_by_label("Truth (dashed)").uncheck()
    expect(page.locator("#truth")).to_be_hidden()


def test_files_can_be_dropped(visit: Opener, picture: Path) -> None:
    page = visit()
    page.evaluate(
        """async (bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "dropped.jpg", { type: "image/jpeg" }));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        list(picture.read_bytes()),
    )
    expect(page.get_by_alt_text("Satellite image dropped.jpg")).to_be_visible()


def test_two_visitors_do_not_see_each_other(visit: Opener, scenes: Path) -> None:
    first, second = sorted((scenes / "train_images").iterdir())[:2]
    first_page, second_page = visit(), visit(expected="404")
    bring(first_page, first)
    bring(second_page, second)
    for page, own in ((first_page, first), (second_page, second)):
        page.reload()
        expect(page.locator("#strip button")).to_have_count(1)
        expect(page.locator("#name")).to_have_text(own.name)
    image = first_page.locator("#image").get_attribute("src")
    assert second_page.evaluate("path => fetch(path).then((response) => response.status)", image) == 404
    assert first_page.evaluate("path => fetch(path).then((response) => response.status)", image) == 200
    assert first_page.evaluate("document.cookie") == ""


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("letter.jpg", b"Dear Sir or Madam", "letter.jpg: the image cannot be read: neither a JPEG nor a PNG"),
        ("empty.png", b"", "empty.png is empty."),
        ("huge.jpg", b"\xff\xd8" + bytes(2_000_000), "huge.jpg is larger than the limit of 1 MB."),
    ],
)
def test_a_wrong_file_gives_an_error_and_changes_nothing(
    visit: Opener, picture: Path, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    page = visit(expected="415")
    (tmp_path / name).write_bytes(content)
    page.set_input_files("#files", tmp_path / name)
    expect(page.get_by_role("alert")).to_contain_text(message)
    expect(page.locator("#welcome")).to_be_visible()
    bring(page, picture)
    expect(page.get_by_role("alert")).to_be_hidden()
    page.set_input_files("#files", tmp_path / name)
    expect(page.get_by_role("alert")).to_contain_text(message)
    expect(page.locator("#name")).to_have_text(picture.name)  # still open
    wait_until_decided(page)


def test_the_error_of_one_file_stays_when_the_next_is_added(visit: Opener, picture: Path, tmp_path: Path) -> None:
    page = visit(expected="415")
    (tmp_path / "none.jpg").write_bytes(b"no picture at all")
    (tmp_path / "empty.jpg").touch()
    page.set_input_files("#files", [tmp_path / "none.jpg", tmp_path / "empty.jpg", picture])
    expect(page.locator("#name")).to_have_text(picture.name)
    wait_until_decided(page)
    expect(page.get_by_role("alert")).to_contain_text("none.jpg: ")
    expect(page.get_by_role("alert")).to_contain_text("empty.jpg is empty.")


def test_a_browser_gets_the_error_message_for_a_huge_file(visit: Opener) -> None:
    page = visit(expected="413")
    send = "(size) => fetch('/api/predict', { method: 'POST', body: new Uint8Array(size) }).then((sent) => sent.json())"
    assert page.evaluate(send, 3_000_000) == {"error": "the file is larger than the limit of 1 MB"}


def test_a_truncated_image_gives_an_error(visit: Opener, picture: Path, tmp_path: Path) -> None:
    page = visit(expected="422")
    (tmp_path / "half.jpg").write_bytes(picture.read_bytes()[:20_000])
    page.set_input_files("#files", tmp_path / "half.jpg")
    expect(page.get_by_role("alert")).to_contain_text("the JPEG ends after 20000 bytes")


def test_html_in_a_file_name_stays_text(visit: Opener, picture: Path, tmp_path: Path) -> None:
    page, name = visit(), "<img src=x onerror=alert(1)>.jpg"
    bring(page, Path(shutil.copy(picture, tmp_path / name)))
    expect(page.locator("#name")).to_have_text(name)


def test_a_slow_network_shows_progress_and_the_latest_rules_win(visit: Opener, picture: Path) -> None:
    page = visit()
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", SLOW)
    page.set_input_files("#files", picture)
    expect(page.get_by_role("progressbar", name="Uploading the image")).to_be_visible()
    expect(page.locator("#viewer")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#image")).to_have_attribute("src", re.compile("^blob:"))  # shown at once
    expect(page.locator("#strip button")).to_have_count(1)
    wait_until_decided(page)
    expect(page.get_by_role("progressbar")).to_be_hidden()
    page.get_by_role("radio", name="Gravel").check(force=True)
    set_slider(page, "min_area", 0)
    for level in range(20, 125, 5):
        set_slider(page, "pixel_threshold", level)
    newest = page.evaluate(
        """async ([path, rules]) => {
          const headers = { "Content-Type": "application/json" };
          const response = await fetch(path, { method: "POST", headers, body: JSON.stringify({ rules }) });
          return (await response.json()).classes[2].outline;
        }""",
        [(page.locator("#image").get_attribute("src") or "").replace("preview", "masks"), uniform_rules(120)],
    )
    assert newest
    expect(page.locator("#predicted .line").nth(2)).to_have_attribute("d", newest)
    network.send("Network.emulateNetworkConditions", FAST)
    set_slider(page, "pixel_threshold", 20)
    wait_for_outline(page, 2, newest)


def test_an_unreachable_server_gives_an_error_with_retry(visit: Opener, picture: Path) -> None:
    page = visit(expected="ERR_FAILED|ERR_INTERNET_DISCONNECTED")
    bring(page, picture)
    page.context.set_offline(True)
    set_slider(page, "presence_threshold", 0)
    expect(page.get_by_role("alert")).to_contain_text("The server does not respond")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.locator("[data-class=Fish] .facts")).to_contain_text("present")


def test_the_page_waits_for_a_busy_server(visit: Opener, picture: Path) -> None:
    page = visit(expected="503")
    answers = iter([True])

    def busy_once(route: Route) -> None:
        if next(answers, False):
            route.fulfill(status=503, headers={"Retry-After": "1"}, json={"error": "the server is busy"})
        else:
            route.continue_()

    page.route("**/api/pictures?name=*", busy_once)
    bring(page, picture)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_an_image_can_be_removed(visit: Opener, scenes: Path) -> None:
    page = visit()
    first, second = sorted((scenes / "train_images").iterdir())[:2]
    bring(page, first, second)
    page.get_by_role("button", name="Remove this image").click()
    expect(page.locator("#name")).to_have_text(first.name)
    page.get_by_role("button", name="Remove this image").click()
    expect(page.locator("#welcome")).to_be_focused()
    expect(page.locator("#downloads")).to_be_hidden()


def test_everything_can_be_reached_by_keyboard(visit: Opener, picture: Path, opened: AppState) -> None:
    page = visit()
    bring(page, picture)
    page.locator("body").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the results")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#panel")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Show Fish on the image")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator("#predicted > g").first).to_be_hidden()
    page.get_by_role("radio", name="Fish").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Flower")).to_be_checked()
    page.keyboard.press("Tab")
    presence = page.get_by_role("slider", name="Presence threshold")
    expect(presence).to_be_focused()
    page.keyboard.press("Home")
    expect(presence).to_have_attribute("aria-valuetext", "0.000")
    expect(page.locator("[data-class=Flower] .facts")).to_contain_text("present")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    level = opened.rules.rules[1].pixel_threshold + 1
    pixels = page.get_by_role("slider", name="Pixel threshold (level)")
    expect(pixels).to_have_attribute("aria-valuetext", f"{level} ({level / 255:.2f})")
    names = "button, input, select, a[href]"
    named = (
        "all => all.every((item) => !item.checkVisibility() || item.labels?.length || item.ariaLabel || item.innerText)"
    )
    assert page.locator(names).evaluate_all(named)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 800, 1600])
def test_the_page_fits_any_screen(visit: Opener, picture: Path, scheme: str, width: int) -> None:
    page = visit(viewport={"width": width, "height": 800}, color_scheme=scheme)
    bring(page, picture)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 23, 29)"}[scheme]


def test_the_holdout_can_be_browsed(visit: Opener, run_server: str, opened_run: AppState) -> None:
    assert opened_run.holdout is not None
    rows = opened_run.holdout.rows
    page = visit(run_server)
    page.get_by_role("button", name="Holdout").click()
    expect(page.get_by_label("Search")).to_be_focused()
    listed = page.locator("#rows button")
    expect(listed).to_have_count(len(rows))
    expect(listed.first).to_contain_text(f"{rows[0].mean_dice:.3f}")
    page.get_by_label("Order").select_option("best Dice first")
    expect(listed.first).to_contain_text(rows[-1].image_id)
    page.get_by_label("Annotated").select_option("Gravel")
    gravel = [row for row in rows if row.annotated[2]]
    expect(listed).to_have_count(len(gravel))
    best = max(gravel, key=lambda row: row.dices[2])
    expect(listed.first).to_contain_text(f"{best.dices[2]:.3f}")
    page.get_by_label("Search").fill(best.image_id[:5])
    expect(listed).to_have_count(1)
    listed.first.click()
    expect(listed.first).to_have_attribute("aria-current", "true")
    expect(page.locator("#mean")).to_have_text(f"mean Dice {best.mean_dice:.3f}")
    expect(page.get_by_role("button", name="Compare with truth…")).to_be_hidden()
    page.reload()
    expect(page.locator("#mean")).to_have_text(f"mean Dice {best.mean_dice:.3f}")  # the link holds the picture


def test_the_point_on_the_curve_follows_the_threshold(visit: Opener, run_server: str, picture: Path) -> None:
    page = visit(run_server)
    bring(page, picture)
    # At the tuned presence threshold recall is 1 already, so a lower one moves the point along precision.
    for key, chart, moved in (("pixel_threshold", "pixel_point", "cx"), ("presence_threshold", "presence_point", "cy")):
        dot = page.locator(f"[data-chart={chart}] .dot")
        message = page.locator(f"[data-chart={chart}] figcaption")
        expect(dot).to_be_visible()
        before, words = dot.get_attribute(moved) or "", message.inner_text()
        set_slider(page, key, 20 if key == "pixel_threshold" else 0.1)
        expect(dot).not_to_have_attribute(moved, before)
        expect(message).not_to_have_text(words)
        expect(message).to_contain_text("average precision")
    expect(page.locator("[data-chart=pixel_point] figcaption")).to_contain_text("from level 20")
    set_slider(page, "presence_threshold", 1.005)
    expect(page.locator("[data-chart=presence_point] figcaption")).to_contain_text("nothing is predicted")


def test_the_heat_map_follows_the_selected_class(visit: Opener, picture: Path) -> None:
    page = visit()
    bring(page, picture)
    heat = page.locator("#heat")
    expect(heat).to_be_hidden()
    page.get_by_label("Heat map of the classifier for Fish").check()
    expect(heat).to_have_attribute("alt", "Heat map of the classifier for Fish")
    expect(heat).to_be_visible()
    page.get_by_role("button", name="Flower", exact=True).click()
    expect(heat).to_have_attribute("alt", "Heat map of the classifier for Flower")
    page.get_by_label("Heat map of the classifier for Flower").uncheck()
    expect(heat).to_be_hidden()


def test_a_placed_image_has_a_graticule_and_coordinates_under_the_pointer(
    visit: Opener, picture: Path, tmp_path: Path
) -> None:
    page = visit()
    placed = Path(shutil.copy(picture, tmp_path / "Aqua20080120_-61--40_10-24.jpg"))
    bring(page, placed)
    box = "10° N to 24° N, 61° W to 40° W · 2008-01-20 · MODIS Aqua"
    expect(page.locator("#place")).to_have_text(box)
    frame = page.locator(".frame").bounding_box()
    assert frame is not None
    page.mouse.move(frame["x"] + 0.5 * frame["width"], frame["y"] + 0.25 * frame["height"])
    expect(page.locator("#place")).to_have_text(re.compile(r"^20\.5\d° N, 50\.[45]\d° W$"))
    page.mouse.move(0, 0)
    expect(page.locator("#place")).to_have_text(box)
    assert page.locator("#degrees span").all_text_contents() == [
        "60° W", "55° W", "50° W", "45° W", "15° N", "20° N",
    ]  # fmt: skip
    # A line of 50° W is 11/21 of the way across, one of 20° N 4/14 of the way down.
    drawn = page.locator("#graticule .line").get_attribute("d") or ""
    assert [f"M{525 * 11 / 21:g} 0V350" in drawn, f"M0 {350 * 4 / 14:g}H525" in drawn] == [True, True]
    page.get_by_label("Graticule").uncheck()
    expect(page.locator("#graticule")).to_be_hidden()
    expect(page.locator("#degrees")).to_be_hidden()
    page.set_input_files("#files", picture)
    expect(page.locator("#strip button")).to_have_count(2)
    wait_until_decided(page)
    expect(page.locator("#place")).to_be_empty()
    expect(page.get_by_label("Graticule")).to_be_hidden()
    expect(page.get_by_role("button", name="Maps (GeoTIFF)")).to_be_hidden()


def test_a_stated_place_applies_to_the_next_images_and_to_downloads(visit: Opener, picture: Path) -> None:
    page = visit()
    page.get_by_text("Place of images that do not state one").click()
    page.get_by_label("West, south, east, north").fill("170,8,191,22")
    page.get_by_label("Time (UTC)").fill("2016-02-03T01:30")
    bring(page, picture)
    expect(page.locator("#place")).to_have_text("8° N to 22° N, 170° E to 169° W · 2016-02-03 01:30:00 UTC")
    assert "180°" in page.locator("#degrees span").all_text_contents()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Maps (GeoTIFF)").click()
    assert downloading.value.suggested_filename == f"{picture.stem}-geotiff.zip"
    assert f"{picture.name}_Fish_mask.tif" in zipfile.ZipFile(downloading.value.path()).namelist()
    set_slider(page, "presence_threshold", 0)
    set_slider(page, "pixel_threshold", 5)
    wait_until_decided(page)
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Outlines (GeoJSON)").click()
    outlines = json.loads(downloading.value.path().read_text())
    assert outlines["time"] == "2016-02-03T01:30:00Z"
    west, south, east, north = outlines["bbox"]
    assert 8 <= south < north <= 22
    assert -180 <= min(west, east) <= max(west, east) <= 180


def test_a_geotiff_of_several_windows_is_shown_with_the_tuned_rules(
    visit: Opener, picture: Path, tmp_path: Path
) -> None:
    page = visit()
    image = np.concatenate([read_image(picture)] * 2, axis=1)[::2, ::2]
    grid = Grid.from_bounds((-82, 10, -40, 24), image.shape[:2])
    bring(page, write_geotiff(tmp_path / "wide.tif", image, grid, compress="deflate"))
    expect(page.locator("#notes")).to_contain_text("Read in 4 overlapping windows")
    expect(page.locator("#fixed-rules")).to_be_visible()
    expect(page.locator("#sliders")).to_be_hidden()
    expect(page.get_by_label("Heat map of the classifier")).to_be_hidden()
    assert page.locator("#overlay").get_attribute("viewBox") == "0 0 1050 350"
    page.set_input_files("#files", picture)
    expect(page.locator("#strip button")).to_have_count(2)
    wait_until_decided(page)
    expect(page.locator("#sliders")).to_be_visible()
    expect(page.locator("#notes")).to_be_empty()
