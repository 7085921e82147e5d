"""Latency of the app over HTTP and in a browser, with the shipped model and an image of 1400×2100:

    python -m benchmarks.app

A slider move is compared with a new prediction and with a target, an upload with a target. In the browser, time runs
from the slider's event to the frame after the new mask. Without Chromium that row is missing.
"""

import argparse
import shutil
import statistics
import tempfile
from itertools import cycle
from pathlib import Path

import httpx2
from playwright.sync_api import Page, sync_playwright

from benchmarks.decode import draw_pictures
from benchmarks.table import OURS, Row, medians, print_rows, rows_against
from nephoscope.app.options import Bounds
from nephoscope.app.state import open_state
from nephoscope.settings.choices import Choice
from tests.builders.app_server import running

PICTURE = "1400×2100 JPEG"
TARGET, SLIDER_MS, UPLOAD_MS = "the target", 100, 1000
NEW_PREDICTION = "the networks anew"
LEVELS = range(40, 121, 5)
MOVES = 30
PAINTED = """async (level) => {
  const slider = document.getElementById("slider-pixel_threshold");
  const changed = new Promise((resolve) => {
    const observer = new MutationObserver(() => { observer.disconnect(); resolve(); });
    observer.observe(document.getElementById("predicted"), { subtree: true, attributes: true, attributeFilter: ["d"] });
  });
  const begin = performance.now();
  slider.value = level;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  await changed;
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  return performance.now() - begin;
}"""
OPEN_RULE = "#rule=" + ";".join(["0,80,0"] * 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="auto", choices=("auto", "openvino", "onnx", "torch"))
    parser.add_argument("--seconds", type=float, default=5.0, help="repeats included")
    arguments = parser.parse_args()
    print_rows(measure(arguments.engine, arguments.seconds))


def measure(engine: Choice = "auto", seconds: float = 5.0) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, running(open_state(None, engine, Bounds())) as address:
        (path,) = draw_pictures(Path(folder) / "scenes", 1)
        return [*measure_requests(address, path, seconds), *measure_browser(address, path)]


def measure_requests(address: str, path: Path, seconds: float) -> list[Row]:
    content, levels = path.read_bytes(), cycle(LEVELS)
    with httpx2.Client(base_url=address, timeout=60) as client:
        picture_id = client.post("/api/pictures", params={"name": path.name}, content=content).json()["id"]

        def move() -> None:
            rule = {"presence_threshold": 0, "pixel_threshold": next(levels), "min_area": 0}
            client.post(f"/api/pictures/{picture_id}/masks", json={"rules": [rule] * 4}).raise_for_status()

        def predict() -> None:
            client.post("/api/predict", content=content).raise_for_status()

        def upload() -> None:
            uploaded = client.post("/api/pictures", params={"name": path.name}, content=content).raise_for_status()
            rule = {"presence_threshold": 0, "pixel_threshold": 80, "min_area": 0}
            client.post(f"/api/pictures/{uploaded.json()['id']}/masks", json={"rules": [rule] * 4}).raise_for_status()

        slider_seconds = medians({OURS: move, NEW_PREDICTION: predict}, seconds) | {TARGET: SLIDER_MS / 1000}
        upload_seconds = medians({OURS: upload}, seconds)[OURS]
    slider = rows_against("app: slider, request to answer", PICTURE, slider_seconds, 1000, "ms")
    return [*slider, Row("app: upload to masks", PICTURE, "ms", 1000 * upload_seconds, TARGET, UPLOAD_MS)]


def measure_browser(address: str, path: Path) -> list[Row]:
    chromium = shutil.which("chromium")
    if chromium is None:
        return []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{address}/{OPEN_RULE}")
        page.set_input_files("#files", path)
        page.wait_for_selector("#predicted .line[d^=M]", state="attached")
        times = [_move(page, level) for level, _ in zip(cycle(LEVELS), range(MOVES), strict=False)]
        browser.close()
    median = statistics.median(times)
    return [Row("app: slider, event to painted", PICTURE, "ms", median, TARGET, SLIDER_MS, "in Chromium")]


def _move(page: Page, level: int) -> float:
    return float(page.evaluate(PAINTED, level))


if __name__ == "__main__":
    main()
