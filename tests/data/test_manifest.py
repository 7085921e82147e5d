"""The manifest as later stages read it."""

from dataclasses import replace
from pathlib import Path

import pytest

from nephoscope.data.manifest import Manifest, Metadata
from nephoscope.errors import UserError


def test_a_manifest_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"format": "clouds", "judged_shape": [350, 525]}')
    message = r"manifest\.json was written by an earlier version .*; run `python -m stages\.prepare` again"
    with pytest.raises(UserError, match=message):
        Manifest.load(tmp_path)


@pytest.mark.parametrize("content", ["", "[" * 100_000], ids=["empty", "deep"])
def test_a_damaged_manifest_names_the_stage_that_writes_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(UserError, match=r"manifest\.json is damaged \(.*\); run `python -m stages\.prepare` again"):
        Manifest.load(tmp_path)


def test_a_format_knows_the_size_of_its_images_on_earth() -> None:
    clouds = Metadata("clouds", ("a",), (8, 12), (8, 12), (8, 12))
    assert clouds.ground_size == (14.0, 21.0)
    assert "ground_size" not in clouds.to_dict()  # so that earlier model folders still open
    assert replace(clouds, format="severstal").ground_size is None
    own = Metadata("boxes", ("a",), (8, 12), (8, 12), (8, 12), ground_size=(5.0, 7.5))
    assert Metadata.from_dict(own.to_dict()).data_format.ground_size == (5.0, 7.5)
