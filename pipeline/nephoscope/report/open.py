"""Open the report of a finished run in the browser."""

import webbrowser
from pathlib import Path

from nephoscope.artifacts import Artifacts
from nephoscope.errors import UserError


def open_report(run: Path, *, show: bool) -> Path:
    """Artifacts folder of a run → path of its report, which is built if it is missing; `show` opens it."""
    page = Artifacts(run).report.page
    if not page.is_file():
        _build(run, page)
    if show:
        webbrowser.open(page.resolve().as_uri())
    return page


def _build(run: Path, page: Path) -> None:
    if not run.is_dir():
        raise UserError(
            f"{run}: no such folder; give the artifacts folder of a finished run, or run `dvc repro`, which writes one"
        )
    if run.resolve() != Artifacts().root.resolve():
        raise UserError(
            f"{page} is missing; run `nephoscope report` in the folder that holds the params.yaml of this run"
        )
    # Imported only here: a finished report opens without waiting for pandas and matplotlib.
    from nephoscope.report.build import build_report
    from nephoscope.settings.params import Params

    build_report(Params.load(), Artifacts(run))
