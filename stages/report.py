"""Report: what all other stages wrote in, two HTML pages out."""

from nephoscope.artifacts import Artifacts
from nephoscope.report.build import build_report
from nephoscope.settings.params import Params


def main(params: Params, artifacts: Artifacts) -> None:
    """Takes all of Params, because the report shows all settings."""
    build_report(params, artifacts)
    for path in (artifacts.report.page, artifacts.report.labels):
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Params.load(), Artifacts())
