"""The shape of a JPEG or PNG from its first bytes, before anything is decoded."""

import struct

from pipeline.masks.rle import Shape

PNG_START = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8"
# Markers C0 to CF open a frame, save the three that carry tables.
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# No length follows these. Decoders pass over them, so a length read behind one would lead elsewhere than they go.
ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xD8)})


class HeaderError(ValueError):
    """The bytes do not begin like a JPEG or PNG."""


def read_shape(content: bytes) -> Shape:
    """Bytes of a picture file → (height, width)."""
    if not content:
        raise HeaderError("the file is empty")
    try:
        if content.startswith(PNG_START):
            width, height = struct.unpack_from(">II", content, 16)
            return height, width
        if content.startswith(JPEG_START):
            return _read_jpeg_shape(content)
    except (struct.error, IndexError):
        raise HeaderError("the file ends within its header") from None
    raise HeaderError(f"neither a JPEG nor a PNG; it begins with {content[:8]!r}")


def _read_jpeg_shape(content: bytes) -> Shape:
    """Walk from segment to segment: 0xFF, marker, length (2 bytes, its own included), content."""
    position = len(JPEG_START)
    while content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xFF:  # padding
            position += 1
            continue
        if marker in ALONE:
            position += 2
            continue
        if marker in FRAMES:
            height, width = struct.unpack_from(">HH", content, position + 5)
            return height, width
        position += 2 + struct.unpack_from(">H", content, position + 2)[0]
    raise HeaderError("no frame in the JPEG's header")
