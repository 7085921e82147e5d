"""The checker of CF conventions, in this process: its own command takes seconds to start."""

import json
import warnings
from pathlib import Path

from compliance_checker.runner import CheckSuite, ComplianceChecker


def check_cf(path: Path) -> list[str]:
    """Errors that the compliance checker finds in a NetCDF file under CF 1.8."""
    report = path.with_suffix(".report.json")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checker's own
        CheckSuite.load_all_available_checkers()
        _, broken = ComplianceChecker.run_checker(
            str(path), ["cf:1.8"], verbose=0, criteria="normal", output_filename=str(report), output_format="json"
        )
    assert not broken, "the checker itself failed"
    findings = json.loads(report.read_text("utf-8"))["cf:1.8"]["high_priorities"]
    return [message for finding in findings for message in finding["msgs"]]
