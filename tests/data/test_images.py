"""Reading images: what is read, and what is refused with a reason."""

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PilImage

from nephoscope.data.images import (
    HeaderError,
    ImageError,
    decode_image,
    fit_image,
    read_image,
    read_resized,
    read_shape,
)
from nephoscope.masks.rle import Shape

RED_LEFT = np.zeros((16, 24, 3), np.uint8)
RED_LEFT[:, :12] = (250, 0, 0)


def encode(image, ending):
    return cv2.imencode(ending, image[..., ::-1])[1].tobytes()


@pytest.mark.parametrize("ending", [".jpg", ".jpeg", ".png"])
def test_images_are_read_as_rgb(tmp_path, ending):
    path = tmp_path / f"picture{ending}"
    path.write_bytes(encode(RED_LEFT, ending))
    image = read_image(path)
    assert image.dtype == np.uint8
    assert np.abs(image[:, [0, -1]].astype(int) - RED_LEFT[:, [0, -1]]).max() < 12
    assert read_resized(path, (8, 12)).shape == (8, 12, 3)


def draw_soft_image(shape):
    coarse = np.random.default_rng(0).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(
    ("shape", "near", "expected"),
    [
        ((480, 720), (20, 30), (60, 90)),
        ((480, 720), (21, 30), (120, 180)),
        ((484, 724), (40, 60), (121, 181)),
        ((480, 720), (100, 150), (480, 720)),
        ((720, 480), (40, 60), (180, 120)),  # rotated
        ((480, 720), None, (480, 720)),
    ],
)
def test_a_large_jpeg_is_decoded_at_a_scale_near_the_shape(shape, near, expected):
    image = draw_soft_image(shape)
    decoded = decode_image(encode(image, ".jpg"), near)
    assert decoded.shape[:2] == expected
    resized = cv2.resize(image, expected[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(decoded.astype(int) - resized).mean() < 4
    assert decode_image(encode(image, ".png"), near).shape[:2] == shape


def test_a_reduced_image_is_rotated_by_exif():
    upright = draw_soft_image((480, 720))
    turned = encode(np.ascontiguousarray(np.rot90(upright)), ".jpg")
    exif = (
        b"\xff\xe1\x00\x22Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"
        + bytes(4)
    )
    decoded = decode_image(turned[:2] + exif + turned[2:], (40, 60))
    assert decoded.shape == (120, 180, 3)
    assert np.abs(decoded.astype(int) - cv2.resize(upright, (180, 120), interpolation=cv2.INTER_AREA)).mean() < 4


def test_grey_and_progressive_images_are_read():
    grey = cv2.imencode(".png", RED_LEFT[..., 0])[1].tobytes()
    progressive = cv2.imencode(".jpg", RED_LEFT, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert decode_image(grey).shape == decode_image(progressive).shape == (16, 24, 3)


def test_a_jpeg_with_too_many_scans_is_refused():
    content = cv2.imencode(".jpg", RED_LEFT, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    place = content.rindex(b"\xff\xda")
    with pytest.raises(ImageError, match="more than 32 scans") as refused:
        decode_image(content[:place] + 200 * content[place:-2] + content[-2:])
    assert refused.value.reason == "unreadable"


def test_bytes_after_the_end_of_a_jpeg_are_ignored():
    content = encode(RED_LEFT, ".jpg")
    np.testing.assert_array_equal(decode_image(content + bytes(40)), decode_image(content))


@pytest.mark.parametrize("kept", [0.6, 0.95])
@pytest.mark.parametrize("flags", [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]])
def test_a_truncated_jpeg_is_refused(kept, flags):
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    content = cv2.imencode(".jpg", noise, flags)[1].tobytes()
    with pytest.raises(ImageError, match="ends after") as caught:
        decode_image(content[: int(kept * len(content))])
    assert caught.value.reason == "truncated"


def png_of_claimed_shape(height, width):
    content = bytearray(encode(RED_LEFT, ".png"))
    content[16:24] = struct.pack(">II", width, height)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "reason", "message"),
    [
        (b"", "unreadable", "the file is empty"),
        (b"GIF89a..", "unreadable", "neither a JPEG nor a PNG"),
        (b"\xff\xd8\xff", "unreadable", "ends within its header"),
        (b"\xff\xd8\x00\x00", "unreadable", "ends within its header"),
        (b"\xff\xd8\xff\xd9", "unreadable", "ends within its header"),
        (b"\xff\xd8" + 10_001 * b"\xff\x01", "unreadable", "ends within its header"),
        (encode(RED_LEFT, ".png")[:-20], "unreadable", "damaged"),
        (png_of_claimed_shape(20_000, 20_000), "oversized", "20000×20000 pixels; at most 100000000 are allowed"),
        (png_of_claimed_shape(0, 10), "undersized", "0×10 pixels; a side must have at least 8"),
        (encode(RED_LEFT[:1, :1], ".png"), "undersized", "1×1 pixels; a side must have at least 8"),
    ],
)
def test_an_image_that_cannot_be_decoded_has_a_reason(content, reason, message):
    with pytest.raises(ImageError, match=message) as caught:
        decode_image(content)
    assert caught.value.reason == reason


def segment(content):
    """An APP1 segment, which decoders skip."""
    return b"\xff\xe1" + struct.pack(">H", 2 + len(content)) + content


# A walk that lands in here by mistake reads a frame of 8×8.
PLANTED = segment(b"\xff" * 65_000 + b"\xc0" + struct.pack(">HBHHB", 11, 8, 8, 8, 1))
BETWEEN_SEGMENTS = [b"\xff\x00", b"\xff\x01", b"\xff\xd0", b"\xff\xd7", b"\xff", b"\x00", segment(b""), PLANTED]


@given(st.lists(st.sampled_from(BETWEEN_SEGMENTS), max_size=5))
def test_the_shape_in_the_header_is_the_decoded_shape(between):
    content = encode(RED_LEFT, ".jpg")
    content = content[:2] + b"".join(between) + content[2:]
    try:
        shape = read_shape(content)
    except HeaderError:
        return
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is None or decoded.shape[:2] == shape


@pytest.mark.parametrize("alone", [b"\xff\x00", b"\xff\x01", b"\xff\xd3", b"\xff\xff\x00"])
def test_markers_without_a_length_are_skipped(alone):
    content = encode(RED_LEFT, ".jpg")
    assert read_shape(content[:2] + alone + PLANTED + PLANTED + content[2:]) == (16, 24)


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(ImageError, match="cannot be opened: No such file"):
        read_image(tmp_path / "missing.jpg")


@pytest.mark.parametrize("shape", [(40, 60), (37, 191), (150, 200)])
def test_images_are_resized_as_by_the_bilinear_filter_of_pil(shape: Shape) -> None:
    image = np.random.default_rng(0).integers(0, 256, (101, 151, 3), np.uint8)
    expected = np.asarray(PilImage.fromarray(image).resize(shape[::-1], PilImage.Resampling.BILINEAR))
    assert np.abs(fit_image(image, shape).astype(int) - expected).max() <= 1


def test_a_read_only_image_is_resized_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image.flags.writeable = False
    assert fit_image(image[::-1], (4, 4)).flags.writeable
    assert not recwarn.list
