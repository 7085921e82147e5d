"""JPEG and PNG files, odd and damaged, and every other kind of picture under their names."""

import io
import struct
import zlib
from collections.abc import Iterator
from warnings import catch_warnings, simplefilter

import cv2
import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from tests.builders.placed_pictures import draw_picture
from tests.corpus.case import Case, damaged

SHAPE = (70, 105)
HEADER, KIND = "the file ends within its header", "neither a JPEG nor a PNG"
NO_END = "without an end marker"
SCAN = b"\xff\xda"


def scene(seed: int = 0) -> Image.Image:
    """The sound picture of which the others are made."""
    return Image.fromarray(draw_picture(SHAPE, seed))


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    with catch_warnings():
        simplefilter("ignore")
        image.save(content, kind, **options)
    return content.getvalue()


def encode_cv(ending: str, image: np.ndarray, *flags: int) -> bytes:
    written, content = cv2.imencode(ending, image, flags)
    assert written
    return bytes(content)


def cases() -> list[Case]:
    return [*sound(), *small_and_large(), *other_kinds(), *broken_jpegs(), *broken_pngs(), *at_random()]


def sound() -> Iterator[Case]:
    """Every variant that other programs write is read."""
    image, pixels = scene(), draw_picture(SHAPE)[..., ::-1]
    exif = Image.Exif()
    exif[0x0112] = 3
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    jpegs: dict[str, dict[str, object]] = {
        "baseline": {},
        "progressive": {"progressive": True},
        "optimised": {"optimize": True},
        "full-chroma": {"subsampling": 0, "quality": 100},
        "quality-1": {"quality": 1},
        "exif-turned": {"exif": exif},
        "profile": {"icc_profile": profile},
        "comment": {"comment": b"drawn at sea"},
        "long-comment": {"comment": b"x" * 65_000},
        "resolution": {"dpi": (300, 300)},
        "comment-like-a-scan": {"comment": b"\xff\xda\xff\xd9 \xff\xda"},
    }
    for name, options in jpegs.items():
        yield Case(f"jpeg-{name}.jpg", encode(image, "JPEG", **options))
    for mode in ("L", "CMYK"):
        yield Case(f"jpeg-{mode.lower()}.jpeg", encode(image.convert(mode), "JPEG"))
    yield Case("jpeg-restarts.JPG", encode_cv(".jpg", pixels, cv2.IMWRITE_JPEG_RST_INTERVAL, 3))
    yield Case("jpeg-two-frames.jpg", encode(image, "MPO", save_all=True, append_images=[scene(1)]))
    yield Case("jpeg-with-more-after-its-end.jpg", encode(image, "JPEG") + b"more \xff\xda")
    yield Case("jpeg-named.png", encode(image, "JPEG"))
    yield Case("png-named.jpg", encode(image, "PNG"))
    for mode in ("RGB", "RGBA", "L", "LA", "P", "1"):
        yield Case(f"png-{mode.lower()}.png", encode(image.convert(mode), "PNG"))
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "clouds " * 50, zip=True)
    yield Case("png-text.png", encode(image, "PNG", pnginfo=text, icc_profile=profile, dpi=(72, 72)))
    yield Case("png-stored.png", encode(image, "PNG", compress_level=0))
    yield Case("png-transparent.png", encode(image.quantize(64), "PNG", transparency=0))
    yield Case("png-moving.png", encode(image, "PNG", save_all=True, append_images=[scene(1)], duration=9))
    yield Case("png-16-bit.png", encode_cv(".png", pixels.astype(np.uint16) * 257))
    yield Case("png-16-bit-grey.png", encode_cv(".png", pixels[..., 0].astype(np.uint16) * 257))
    yield Case("png-with-more-after-its-end.png", encode(image, "PNG") + b"more")


def small_and_large() -> Iterator[Case]:
    """Sizes that no picture of clouds has, and pictures of nothing."""
    for height, width in ((1, 1), (7, 90), (90, 7)):
        tiny = Image.new("RGB", (width, height), "white")
        for kind in ("JPEG", "PNG"):
            name = f"{kind.lower()}-{height}x{width}.{kind.lower()}"
            yield Case(name, encode(tiny, kind), f"{height}×{width} pixels; a side must have at least 8")
    for height, width in ((20_000, 20_000), (2**31 - 1, 9), (2**32 - 1, 2**32 - 1)):
        yield Case(f"png-{height}x{width}.png", png_of(height, width), "at most 100000000 are allowed")
    yield Case("png-0x0.png", png_of(0, 0), "0×0 pixels")
    yield Case("jpeg-65535x65535.jpg", with_frame(65_535, 65_535), "at most 100000000 are allowed")
    yield Case("jpeg-0x105.jpg", with_frame(0, 105), "0×105 pixels")
    for kind in ("JPEG", "PNG"):
        yield Case(f"black.{kind.lower()}", encode(Image.new("RGB", SHAPE[::-1]), kind), "all of it is black")
    grey = scene()
    grey.paste((128, 128, 128), (0, 40, 105, 70))
    yield Case("grey-end.png", encode(grey, "PNG"), "the lowest rows are uniform grey")


OTHER_KINDS = ("AVIF", "BLP", "BMP", "DDS", "DIB", "EPS", "GIF", "ICNS", "ICO", "IM", "JPEG2000", "MSP", "PALM", "PCX",
               "PDF", "PPM", "QOI", "SGI", "SPIDER", "TGA", "TIFF", "WEBP", "XBM")  # fmt: skip
MODES = {"MSP": "1", "PALM": "P", "SPIDER": "F", "XBM": "1", "BLP": "P"}


def other_kinds() -> Iterator[Case]:
    """What Pillow and OpenCV write in other formats, and files that are no picture, under the name of a JPEG."""
    Image.init()
    for kind in OTHER_KINDS:
        if kind in Image.SAVE:
            try:
                content = encode(scene().convert(MODES.get(kind, "RGB")), kind)
            except (OSError, KeyError):  # a codec that this build of Pillow lacks
                continue
            yield Case(f"{kind.lower()}.jpg", content, KIND)
    for ending in (".hdr", ".jp2", ".pbm", ".pfm", ".pgm", ".ras", ".tiff", ".webp", ".bmp"):
        pixels = draw_picture(SHAPE)
        pixels = pixels.astype(np.float32) if ending in (".hdr", ".pfm") else pixels
        yield Case(
            f"opencv-{ending[1:]}.png",
            encode_cv(ending, pixels[..., 0] if ending in (".pbm", ".pgm") else pixels),
            KIND,
        )
    others = {
        "page": b"<!DOCTYPE html><title>503 Service Unavailable</title>",
        "json": b'{"error": "no such day"}',
        "zip": b"PK\x03\x04" + bytes(40),
        "gzip": b"\x1f\x8b\x08" + bytes(20),
        "elf": b"\x7fELF" + bytes(60),
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "zeros": bytes(5000),
        "ones": b"\xff" * 5000,
        "text": "Wolken über dem Meer\n".encode(),
        "one-byte": b"\xff",
    }
    for name, content in others.items():
        yield Case(f"{name}.jpeg", content, KIND)
    yield Case("empty.jpg", b"", "the file is empty")


def broken_jpegs() -> Iterator[Case]:
    for name, content in (
        ("baseline", encode(scene(), "JPEG")),
        ("progressive", encode(scene(), "JPEG", progressive=True)),
    ):
        first_scan = content.index(SCAN)
        for place in (2, 3, 4, 10, 20, content.index(b"\xff\xc0" if name == "baseline" else b"\xff\xc2") + 4):
            yield Case(f"jpeg-{name}-first-{place}.jpg", content[:place], HEADER)
        for share in (0.01, 0.3, 0.6, 0.9, 0.99):
            end = first_scan + int(share * (len(content) - first_scan)) + 4
            yield Case(f"jpeg-{name}-cut-{share}.jpg", content[:end], NO_END)
        yield Case(f"jpeg-{name}-no-end.jpg", content[:-2], NO_END)
    content = encode(scene(), "JPEG")
    yield Case("jpeg-only-ends.jpg", b"\xff\xd8\xff\xd9", "header")
    yield Case("jpeg-without-frame.jpg", without_segment(content, 0xC0), "")
    for marker, name in ((0xDB, "quantisation"), (0xC4, "huffman"), (0xDA, "scan")):
        yield Case(f"jpeg-without-{name}.jpg", without_segment(content, marker), certain=False)
    yield Case("jpeg-12-bit.jpg", content.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"), "")
    yield Case("jpeg-lossless.jpg", content.replace(b"\xff\xc0", b"\xff\xc3"), "")
    yield Case("jpeg-arithmetic.jpg", content.replace(b"\xff\xc0", b"\xff\xc9"), certain=False)
    scan = content[content.index(SCAN) : -2]
    yield Case("jpeg-of-200-scans.jpg", content[:-2] + scan * 200 + content[-2:], "scans; usual are about ten")
    fine = encode(scene(), "JPEG", quality=98)
    third = len(fine) // 3
    yield Case("jpeg-zeros-inside.jpg", fine[:third] + bytes(200) + fine[third + 200 :], "data are damaged")
    yield Case("jpeg-in-a-jpeg.jpg", content[:2] + app_segment(content[:3000]) + content[2:], certain=False)


def broken_pngs() -> Iterator[Case]:
    content = encode(scene(), "PNG")
    for place in (8, 9, 16, 20, 23):
        yield Case(f"png-first-{place}.png", content[:place], HEADER)
    for share in (0.1, 0.5, 0.9):
        yield Case(f"png-cut-{share}.png", content[: 40 + int(share * (len(content) - 60))], "damaged")
    place = content.index(b"IDAT")
    yield Case("png-without-data.png", content[: place - 4], "damaged")
    yield Case("png-empty-data.png", content[: place - 4] + chunk(b"IDAT", b"") + chunk(b"IEND", b""), "damaged")
    yield Case("png-noise-data.png", content[: place - 4] + chunk(b"IDAT", b"noise") + chunk(b"IEND", b""), "damaged")
    bomb = chunk(b"zTXt", b"Title\0\0" + zlib.compress(bytes(30_000_000), 9))
    yield Case("png-text-bomb.png", content[:33] + bomb + content[33:], certain=False)
    bomb = chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(30_000_000), 9))
    yield Case("png-profile-bomb.png", content[:33] + bomb + content[33:], certain=False)
    for name, change in (("depth", (24, 3)), ("colour", (25, 7)), ("method", (26, 9)), ("interlace", (28, 9))):
        wrong = bytearray(content)
        wrong[change[0]] = change[1]
        wrong[29:33] = zlib.crc32(wrong[12:29]).to_bytes(4, "big")
        yield Case(f"png-wrong-{name}.png", bytes(wrong), certain=False)


def at_random() -> Iterator[Case]:
    for case in list(sound()):
        yield from damaged(case, 2)


def chunk(name: bytes, content: bytes) -> bytes:
    """A part of a PNG, with its checksum."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_of(height: int, width: int) -> bytes:
    """A PNG whose header claims this shape."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def with_frame(height: int, width: int) -> bytes:
    """A JPEG whose header claims this shape."""
    content = bytearray(encode(scene(), "JPEG"))
    place = content.index(b"\xff\xc0")
    content[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def without_segment(content: bytes, marker: int) -> bytes:
    """A JPEG without the first segment of this kind."""
    place = content.index(bytes((0xFF, marker)))
    length = struct.unpack_from(">H", content, place + 2)[0]
    return content[:place] + content[place + 2 + length :]


def app_segment(content: bytes) -> bytes:
    """Bytes that a camera adds, such as a small preview."""
    return b"\xff\xe5" + struct.pack(">H", len(content) + 2) + content
