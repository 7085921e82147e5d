"""Take the screenshots of a finished report for the documentation: `python -m docs.report_screenshots [report.html]`.

Needs Chromium.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"


def main(report: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, width, height, scheme, place in (
            ("light", 1280, 900, "light", "body"),
            ("dark", 1280, 900, "dark", "#curves"),
            ("phone", 390, 844, "dark", ".gallery"),
        ):
            # wait_for_function evaluates code, which the policy of the page forbids.
            options = {"color_scheme": scheme, "reduced_motion": "reduce", "bypass_csp": True}
            page = browser.new_page(viewport={"width": width, "height": height}, **options)
            page.goto(report.resolve().as_uri())
            show(page, place)
            path = IMAGES / f"report-{name}.png"
            page.screenshot(path=path)
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
        browser.close()


def show(page: Page, place: str) -> None:
    """Set a cursor on each plot, filter the gallery, and scroll to the place."""
    for plot in page.locator(".plot .canvas").all():
        plot.focus()
    page.locator("select[name=kind]").select_option("poor overlap")
    page.evaluate("document.activeElement.blur()")
    page.locator(place).first.evaluate("element => element.scrollIntoView({ behavior: 'instant' })")
    page.evaluate("document.querySelectorAll('img').forEach((image) => { image.loading = 'eager' })")
    page.wait_for_function("[...document.images].every(image => image.complete)")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "artifacts/report/report.html"))
