"""Probability maps in small files: fewer levels, each predicted from its neighbours, then LZMA.

A file is one line of JSON, the presences (float16) and the compressed parts.
"""

import json
import lzma
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 4, "lc": 2, "lp": 0, "pb": 0}]
IMAGES_PER_PART = 150
PROCESSES = 16


def pack_file(path: Path, levels: int) -> bytes:
    """An .npz file with `maps` (N×C×h×w uint8), `presence` and `shape` → the packed file's content."""
    file = np.load(path)
    maps = np.rint(file["maps"].astype(np.float32) * ((levels - 1) / 255)).astype(np.uint8)
    with ProcessPoolExecutor(PROCESSES) as pool:
        parts = list(pool.map(pack_part, np.array_split(maps, max(1, len(maps) // IMAGES_PER_PART))))
    presence = file["presence"].astype(np.float16).tobytes()
    header = {
        "levels": levels, "shape": maps.shape, "parts": [len(part) for part in parts], "presence": len(presence),
        "picture_shape": [int(side) for side in file["shape"]],
    }  # fmt: skip
    return b"".join([json.dumps(header).encode(), b"\n", presence, *parts])


def unpack_file(path: Path) -> dict[str, Any]:
    """A packed file → maps (N×C×h×w uint8, 0 to 255), presence (N×C, 0 to 1) and the shape of the images."""
    content = path.read_bytes()
    header_end = content.index(b"\n")
    header = json.loads(content[:header_end])
    count, classes, height, width = header["shape"]
    position = header_end + 1
    presence = np.frombuffer(content[position : position + header["presence"]], np.float16).reshape(count, classes)
    position += header["presence"]
    parts = []
    for size in header["parts"]:
        parts.append(unpack_part(content[position : position + size], (classes, height, width)))
        position += size
    maps = np.rint(np.concatenate(parts) * (255 / (header["levels"] - 1))).astype(np.uint8)
    return {"maps": maps, "presence": presence.astype(np.float32), "shape": tuple(header["picture_shape"])}


def pack_part(maps: np.ndarray) -> bytes:
    """Levels (n×C×h×w) → their compressed residuals."""
    residual = maps.astype(np.int16)
    residual[..., 1:, 1:] = maps[..., 1:, 1:].astype(np.int16) - predict_levels(maps)
    residual[..., 0, 1:] -= maps[..., 0, :-1]
    residual[..., 1:, 0] -= maps[..., :-1, 0]
    return lzma.compress(residual.astype(np.uint8).tobytes(), format=lzma.FORMAT_RAW, filters=FILTERS)


def unpack_part(content: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    """The inverse of `pack_part`; `shape` is (classes, height, width)."""
    raw = lzma.decompress(content, format=lzma.FORMAT_RAW, filters=FILTERS)
    residual = np.frombuffer(raw, np.uint8).reshape(-1, *shape)
    maps = residual.copy()
    maps[..., 0, :] = np.cumsum(residual[..., 0, :], -1, dtype=np.uint8)
    maps[..., :, 0] = np.cumsum(residual[..., :, 0], -1, dtype=np.uint8)
    for row in range(1, maps.shape[-2]):
        for column in range(1, maps.shape[-1]):
            block = maps[..., row - 1 : row + 1, column - 1 : column + 1]
            maps[..., row, column] = (residual[..., row, column] + predict_levels(block)[..., 0, 0]).astype(np.uint8)
    return maps


def predict_levels(maps: np.ndarray) -> np.ndarray:
    """Each level from its left, upper and upper left neighbour, as in LOCO-I. The first row and column are left out."""
    left, up, corner = (
        neighbour.astype(np.int16) for neighbour in (maps[..., 1:, :-1], maps[..., :-1, 1:], maps[..., :-1, :-1])
    )
    low, high = np.minimum(left, up), np.maximum(left, up)
    return np.where(corner >= high, low, np.where(corner <= low, high, left + up - corner))
