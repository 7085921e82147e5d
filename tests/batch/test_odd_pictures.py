"""A folder of unusual and broken files: readable ones get a result, the others a reason."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nephoscope.artifacts import Artifacts
from nephoscope.data.images import read_image
from tests.builders.command_line import run_command


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def with_header_shape(height: int, width: int) -> bytes:
    content = bytearray(encode(Image.new("L", (16, 16)), "PNG"))
    content[16:24] = struct.pack(">II", width, height)
    return bytes(content)


def rotate_by_exif(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90° clockwise for display
    return encode(image.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)


def in_16_bits(image: Image.Image) -> bytes:
    grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
    return encode(Image.fromarray(grey), "PNG")


def half_black(image: Image.Image) -> bytes:
    bright = np.maximum(np.asarray(image), 40)
    bright[:, image.width // 2 :] = 0
    return encode(Image.fromarray(bright), "PNG")


ODD: dict[str, Callable[[Image.Image], bytes]] = {
    "alpha.png": lambda image: encode(image.convert("RGBA"), "PNG"),
    "cmyk.jpg": lambda image: encode(image.convert("CMYK"), "JPEG"),
    "exif.jpg": rotate_by_exif,
    "grey.jpg": lambda image: encode(image.convert("L"), "JPEG"),
    "palette.png": lambda image: encode(image.quantize(256), "PNG"),
    "sixteen.png": in_16_bits,
}
BROKEN: dict[str, tuple[Callable[[Image.Image], bytes], str]] = {
    "black.png": (lambda image: encode(Image.new("RGB", image.size), "PNG"), "all of it is black"),
    "empty.jpg": (lambda _: b"", "the file is empty"),
    "huge.png": (lambda _: with_header_shape(20_000, 20_000), "20000×20000 pixels; at most 100000000 are allowed"),
    "text.jpg": (lambda _: b"no picture at all", "neither a JPEG nor a PNG"),
    "tiny.png": (lambda _: encode(Image.new("RGB", (1, 1)), "PNG"), "1×1 pixels; a side must have at least 8"),
    "grey-end.png": (lambda image: encode(grey_below(image), "PNG"), "the lowest rows are uniform grey"),
    "truncated.jpg": (lambda image: encode(image, "JPEG")[:-900], "without an end marker"),
    "truncated.png": (lambda image: encode(image, "PNG")[:-900], "damaged"),
}


def grey_below(image: Image.Image) -> Image.Image:
    """A damaged JPEG as a decoder leaves it, saved again."""
    image = image.copy()
    image.paste((128, 128, 128), (0, image.height // 2, image.width, image.height))
    return image


@pytest.fixture(scope="module")
def scene(finished: Artifacts) -> Image.Image:
    return Image.open(next((finished.synthesize.dataset / "test_images").iterdir())).convert("RGB")


def test_readable_files_get_results_and_broken_ones_a_reason(
    finished: Artifacts, scene: Image.Image, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, draw in ODD.items():
        (folder / name).write_bytes(draw(scene))
    (folder / "half.png").write_bytes(half_black(scene))
    for name, (draw, _) in BROKEN.items():
        (folder / name).write_bytes(draw(scene))
    done = run_command(folder, "--model", finished.export.model, "--engine", "torch", "--out", tmp_path / "out")
    assert done.returncode == 1, done.stderr
    shares = pd.read_csv(tmp_path / "out/summary.csv").groupby("image_id")["visible_share"].first()
    assert shares["half.png"] == pytest.approx(0.5, abs=0.02)
    assert shares["palette.png"] > 0.8
    rows = pd.read_csv(tmp_path / "out/submission.csv")["Image_Label"]
    assert rows.str.rsplit("_", n=1).str[0].unique().tolist() == sorted([*ODD, "half.png"])
    problems = pd.read_csv(tmp_path / "out/problems.csv").set_index("image_id")["problem"]
    assert problems.index.tolist() == sorted(BROKEN)
    for name, (_, reason) in BROKEN.items():
        assert reason in problems[name]
        assert f"skipped: {name}: {problems[name]}" in done.stderr


@pytest.mark.parametrize("name", ODD)
def test_unusual_files_become_upright_rgb_images(scene: Image.Image, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(ODD[name](scene))
    image = read_image(tmp_path / name)
    expected = np.asarray(scene if name in ("alpha.png", "cmyk.jpg", "exif.jpg", "palette.png") else scene.convert("L"))
    expected = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, 2)
    assert image.shape == expected.shape
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - expected).mean() < 8
