"""Reading a large JPEG at the size of the network's input, against PIL and against a full decode:

    python -m benchmarks.decode

Medians of one thread.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PilImage

from benchmarks.table import OURS, Row, medians, one_thread, print_rows, rows_against
from nephoscope.data.formats import FORMATS
from nephoscope.data.images import fit_image, read_image, read_resized
from nephoscope.data.synthetic import write_dataset
from nephoscope.masks.rle import Shape

INPUT_SHAPE = (192, 288)
QUALITY = 75


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="repeats included")
    print_rows(measure(parser.parse_args().seconds))


def measure(seconds: float = 5.0) -> list[Row]:
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        (path,) = draw_pictures(Path(folder) / "scenes", 1)
        tasks: dict[str, Callable[[], np.ndarray]] = {
            OURS: lambda: read_resized(path, INPUT_SHAPE),
            "OpenCV, full decode": lambda: fit_image(read_image(path), INPUT_SHAPE),
            "PIL, full decode": lambda: read_plainly(path, INPUT_SHAPE),
        }
        assert np.abs(tasks[OURS]().astype(int) - tasks["PIL, full decode"]()).mean() < 3
        return rows_against("decode", "1400×2100 JPEG to 192×288", medians(tasks, seconds), scale=1000, unit="ms")


def draw_pictures(folder: Path, count: int) -> list[Path]:
    """The same labelled scenes at every call: JPEGs of 1400×2100 and 0.7 MB, like the competition's images."""
    write_dataset(folder, labelled=count, shape=FORMATS["clouds"].rle_shape, seed=1)
    paths = sorted((folder / "train_images").iterdir())
    for path in paths:
        scene = cv2.imread(str(path))
        assert scene is not None
        cv2.imwrite(str(path), scene, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return paths


def read_plainly(path: Path, shape: Shape) -> np.ndarray:
    with PilImage.open(path) as image:
        return np.asarray(image.convert("RGB").resize(shape[::-1], PilImage.Resampling.BILINEAR))


if __name__ == "__main__":
    main()
