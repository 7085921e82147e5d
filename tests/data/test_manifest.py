"""The manifest as later stages read it."""

from pathlib import Path

import pytest

from nephoscope.data.manifest import Manifest
from nephoscope.errors import UserError


def test_a_manifest_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"format": "clouds", "judged_shape": [350, 525]}')
    message = r"manifest\.json was written by an earlier version of nephoscope; run `python -m stages\.prepare` again"
    with pytest.raises(UserError, match=message):
        Manifest.load(tmp_path)
