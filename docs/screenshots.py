"""Take the pictures of the documentation: `python docs/screenshots.py`. Needs Chromium, and synthetic scenes only."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from pipeline.data.synthetic import write_dataset
from pipeline.delivery.app.background import running
from pipeline.delivery.app.serving import Bounds, open_desk

IMAGES = Path(__file__).parent / "images"
QUALITY = 78  # of JPEG: under 300 kB each
SCENES, SEED = 4, 11
OPEN = 1
"""The scene that is open; the others lie below it."""


@dataclass(frozen=True)
class Shot:
    name: str
    scheme: Literal["light", "dark"]
    width: int
    height: int
    scale: int = 1


SHOTS = (
    Shot("app-light", "light", 1440, 940),
    Shot("app-dark", "dark", 1440, 940),
    Shot("app-phone", "light", 390, 844, scale=2),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        write_dataset(Path(folder) / "scenes", labelled=SCENES, shape=(1050, 1575), seed=SEED)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with running(open_desk(None, "auto", Bounds())) as address:
            for shot in SHOTS:
                take_app(browser, address, Path(folder) / "scenes", shot)


def take_app(browser: Browser, address: str, scenes: Path, shot: Shot) -> None:
    context = browser.new_context(
        viewport={"width": shot.width, "height": shot.height}, color_scheme=shot.scheme, device_scale_factor=shot.scale
    )
    page = context.new_page()
    page.goto(address)
    paths = sorted((scenes / "train_images").iterdir())
    page.set_input_files("#files", [*paths[:OPEN], *paths[OPEN + 1 :], paths[OPEN]])
    page.locator(f"#strip li:nth-child({len(paths)}) [aria-current]").wait_for()
    page.set_input_files("#files", scenes / "train.csv")
    page.locator("#mean:not(:empty)").wait_for()
    page.wait_for_load_state("networkidle")
    save(page, shot.name)
    context.close()


def save(page: Page, name: str) -> None:
    image = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    path = IMAGES / f"{name}.jpg"
    cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
