"""The results of the stage `prepare`, small enough to copy to a machine with a GPU.

    python -m recipes.gpu.pack --out DATA

Writes `labels.npz` (image ids, folds, presence, and the truth at half the cache's shape) and `pictures-0.npz`,
`pictures-1.npz` … (the cached images as WebP, one after the other). Set `prepare.cache_shape` to the largest shape that
a network shall read, `folds: 5` and `holdout_share: 0`.
"""

import argparse
import lzma
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from nephoscope.artifacts import Artifacts
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest

CLASSES = ("Fish", "Flower", "Gravel", "Sugar")
VISIBLE_BIT = len(CLASSES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"), help="the pipeline's results")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quality", type=int, default=75, help="of WebP, 0 to 100")
    parser.add_argument("--image-count", type=int, help="pack only the first images, for a trial")
    parser.add_argument("--part-mib", type=float, default=50, help="largest size of a file of images")
    options = parser.parse_args()
    prepared = Artifacts(options.artifacts).prepare
    images = Manifest.load(prepared.manifest).images
    images = images[images["split"] != "unlabelled"].iloc[: options.image_count]  # labelled images come first
    if (images["fold"] < 0).any():
        parser.error("some images belong to no fold; set prepare.folds: 5 and prepare.holdout_share: 0")
    cache = Cache.open(prepared.cache)
    options.out.mkdir(parents=True, exist_ok=True)
    pack_labels(images, cache, options.out / "labels.npz")
    pack_images(cache.images, len(images), options.quality, options.part_mib * 2**20, options.out)


def pack_labels(images: pd.DataFrame, cache: Cache, path: Path) -> None:
    """Bit c of a plane is class c; the bit after the classes marks visible pixels."""
    height, width = (side // 2 for side in cache.truth.shape[1:])
    planes = np.zeros((len(images), height, width), np.uint8)
    for row in range(len(images)):
        for bit in range(VISIBLE_BIT + 1):
            whole = cache.visible[row] if bit == VISIBLE_BIT else cache.truth[row] >> bit & 1
            half = whole.astype(np.float32).reshape(height, 2, width, 2).mean((1, 3)) >= 0.5
            planes[row] |= half.astype(np.uint8) << bit
    packed = lzma.compress(planes.tobytes(), preset=4)
    np.savez(
        path,
        image_ids=images["image_id"].to_numpy(str),
        fold=images["fold"].to_numpy(np.int8),
        presence=(images[[f"area_{name}" for name in CLASSES]].to_numpy() > 0),
        planes=np.frombuffer(packed, np.uint8),
        shape=np.array(planes.shape),
    )
    print(f"labels: {path.stat().st_size / 2**20:.1f} MiB")


def pack_images(images: np.ndarray, count: int, quality: int, max_bytes: float, out: Path) -> None:
    def encode(row: int) -> bytes:
        bgr = cv2.cvtColor(images[row], cv2.COLOR_RGB2BGR)
        return cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()

    part: list[bytes] = []
    number = size = 0
    with ThreadPoolExecutor(2) as pool:
        for content in pool.map(encode, range(count)):
            if part and size + len(content) > max_bytes:
                write_part(out / f"pictures-{number}.npz", part)
                part, number, size = [], number + 1, 0
            part.append(content)
            size += len(content)
    write_part(out / f"pictures-{number}.npz", part)


def write_part(path: Path, part: list[bytes]) -> None:
    np.savez(path, sizes=np.array([len(content) for content in part]), content=np.frombuffer(b"".join(part), np.uint8))
    print(f"{path.name}: {len(part)} images, {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
