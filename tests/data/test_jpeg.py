"""Damage inside a JPEG is found, and sound files of every kind are read."""

import struct
from collections.abc import Callable
from io import BytesIO
from warnings import catch_warnings, simplefilter

import cv2
import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from rasterio.io import MemoryFile

from nephoscope.data.images import ImageError, decode_image
from nephoscope.data.jpeg import MOST_SCANS, JpegError, check_jpeg, walk
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Shape

END, START_OF_SCAN = b"\xff\xd9", b"\xff\xda"
QUARTERED = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420
WHOLE = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444


def draw(shape: Shape = (160, 240)) -> Image:
    """Soft shapes with noise of brightness, as clouds have them."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (9, 13, 3)).astype(np.uint8)
    soft = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC).astype(int)
    return np.clip(soft + rng.normal(0, 8, (*shape, 1)), 0, 255).astype(np.uint8)


def by_opencv(image: Image, *flags: int) -> bytes:
    return cv2.imencode(".jpg", image, flags)[1].tobytes()


def by_pillow(image: Image, mode: str = "RGB", **options: object) -> bytes:
    content = BytesIO()
    Pillow.fromarray(image).convert(mode).save(content, "JPEG", **options)
    return content.getvalue()


KINDS: dict[str, Callable[[Image], bytes]] = {
    "baseline": by_opencv,
    "progressive": lambda image: by_opencv(image, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "grey": lambda image: by_opencv(image[..., 0]),
    "grey progressive": lambda image: by_pillow(image, "L", progressive=True),
    "own tables": lambda image: by_opencv(image, cv2.IMWRITE_JPEG_OPTIMIZE, 1),
    "restart markers": lambda image: by_opencv(image, cv2.IMWRITE_JPEG_RST_INTERVAL, 7),
    "restart markers, progressive": lambda image: by_pillow(image, progressive=True, restart_marker_blocks=5),
    "full colour": lambda image: by_opencv(image, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, WHOLE),
    "cmyk": lambda image: by_pillow(image, "CMYK"),
}


def warns(content: bytes) -> bool:
    """Whether libjpeg, as GDAL uses it, warns of damage or fails."""
    with rasterio.Env(GDAL_ERROR_ON_LIBJPEG_WARNING=True), catch_warnings():
        simplefilter("ignore")
        try:
            with MemoryFile(content) as file, file.open(driver="JPEG") as dataset:
                dataset.read()
        except rasterio.errors.RasterioIOError:
            return True
    return False


def is_refused(content: bytes) -> bool:
    try:
        check_jpeg(content)
    except JpegError:
        return True
    return False


def zero(content: bytes, start: int, count: int) -> bytes:
    return content[:start] + bytes(count) + content[start + count :]


@pytest.mark.parametrize("kind", KINDS)
def test_a_hole_inside_the_data_is_found(kind: str) -> None:
    content = KINDS[kind](draw())
    with pytest.raises(ImageError, match=r"the JPEG's data are damaged: they .*; copy the file again") as caught:
        decode_image(zero(content, len(content) // 3, 200))
    assert caught.value.reason == "damaged"


def test_a_hole_is_found_even_where_the_decoder_does_not_warn() -> None:
    """The number of blocks may come out right by chance. Pixels are wrong all the same."""
    content = by_opencv(draw())
    places = [start for start in range(1000, len(content) - 1000, 400) if not warns(zero(content, start, 200))]
    assert len(places) > 10
    assert all(is_refused(zero(content, start, 200)) for start in places)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_the_decoder_warns_of_is_refused(kind: str) -> None:
    content, rng = KINDS[kind](draw()), np.random.default_rng(1)
    start = content.index(START_OF_SCAN) + 14
    warnings = []
    for _ in range(60):
        damaged = bytearray(content)
        for place in rng.integers(start, len(content) - 400, 2):
            damaged[place] = rng.integers(0, 255)
            del damaged[place + 1 : place + rng.integers(1, 99)]
        if warns(bytes(damaged)):
            warnings.append(bytes(damaged))
    assert warnings
    for damaged in warnings:
        with pytest.raises(ImageError):
            decode_image(damaged)


@given(
    shape=st.tuples(st.integers(8, 70), st.integers(8, 70)),
    quality=st.integers(1, 100),
    sampling=st.sampled_from([QUARTERED, WHOLE, 0x411111, 0x211111, 0x121111]),
    progressive=st.booleans(),
    own_tables=st.booleans(),
    interval=st.integers(0, 9),
    grey=st.booleans(),
)
def test_a_sound_file_is_accepted(
    shape: Shape, quality: int, sampling: int, progressive: bool, own_tables: bool, interval: int, grey: bool
) -> None:
    flags = [
        *(cv2.IMWRITE_JPEG_QUALITY, quality),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling),
        *(cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)),
        *(cv2.IMWRITE_JPEG_OPTIMIZE, int(own_tables)),
        *(cv2.IMWRITE_JPEG_RST_INTERVAL, interval),
    ]
    image = draw(shape)
    check_jpeg(by_opencv(image[..., 0] if grey else image, *flags))


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("flags", [[], [cv2.IMWRITE_JPEG_OPTIMIZE, 1], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]])
def test_black_and_white_are_no_damage(level: int, flags: list[int]) -> None:
    """Their data may be zeros throughout, and their first coefficients are the largest that there are."""
    image = np.full((64, 96, 3), level, np.uint8)
    assert (decode_image(by_opencv(image, *flags)) == level).all()


def after_start(content: bytes, *segments: bytes) -> bytes:
    return content[:2] + b"".join(segments) + content[2:]


def comment(text: bytes) -> bytes:
    return b"\xff\xfe" + struct.pack(">H", 2 + len(text)) + text


@pytest.mark.parametrize(
    "add",
    [
        lambda content: content + START_OF_SCAN + bytes(40),
        lambda content: content + content,  # as cameras add a second picture
        lambda content: after_start(content, comment(START_OF_SCAN * 200)),
        lambda content: after_start(content, comment(content)),
        lambda content: content[:-2] + b"\xff\xff\xff" + content[-2:],  # fill bytes
        lambda content: content[:-2] + b"\x00" + content[-2:],  # as some cameras pad
    ],
)
@pytest.mark.parametrize("kind", ["baseline", "progressive"])
def test_bytes_beside_the_data_are_no_damage(kind: str, add: Callable[[bytes], bytes]) -> None:
    content = KINDS[kind](draw())
    np.testing.assert_array_equal(decode_image(add(content)), decode_image(content))


def test_a_lost_restart_marker_is_found() -> None:
    """Its interval would be drawn over the next one."""
    content = KINDS["restart markers"](draw())
    place = content.index(b"\xff\xd3")
    assert is_refused(content[:place] + content[place + 2 :])
    assert is_refused(content[:place] + b"\xff\xd2" + content[place:])


def test_scans_that_bring_the_same_twice_are_refused() -> None:
    """Each would cost the time of the whole picture."""
    content = KINDS["progressive"](draw())
    place = content.rindex(START_OF_SCAN)
    repeated = content[:place] + 3 * content[place:-2] + END
    assert warns(repeated)
    with pytest.raises(JpegError, match="no encoder writes"):
        check_jpeg(repeated)


def test_many_scans_are_refused_before_any_is_followed() -> None:
    content = KINDS["progressive"](draw())
    place = content.rindex(START_OF_SCAN)
    with pytest.raises(JpegError, match=f"more than {MOST_SCANS} scans; usual are about ten") as refused:
        check_jpeg(content[:place] + (MOST_SCANS + 1) * content[place:-2] + END)
    assert refused.value.reason == "unreadable"


def test_markers_without_content_are_not_walked_for_ever() -> None:
    with pytest.raises(JpegError, match="more than 10000 segments"):
        list(walk(b"\xff\xd8" + 20_000 * b"\xff\x01"))


@given(st.binary(max_size=300), st.sampled_from(sorted(KINDS)), st.integers(0, 2**16))
def test_any_bytes_are_read_or_refused(noise: bytes, kind: str, place: int) -> None:
    content = KINDS[kind](draw((16, 24)))
    place %= len(content)
    is_refused(content[:place] + noise + content[place + len(noise) // 2 :])
