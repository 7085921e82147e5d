"""Scenes of any size: what a seam and a shift of the windows change, and how much memory a large scene needs.

    python -m benchmarks.scenes --pictures FOLDER          # seams and shifts on pictures of clouds, 21°×14° each
    python -m benchmarks.scenes --memory                   # peak memory, every scene in a process of its own

Real scenes of several windows are rare, so they are put together. *Side by side*: three pictures of different places,
whose clouds end at the seam. *Mirrored*: a picture between its mirror images, whose clouds go on across the seam.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from benchmarks.table import alone, peak_gib
from nephoscope.artifacts import SHIPPED
from nephoscope.bundle.load import open_portable
from nephoscope.data.images import ENDINGS, fit_image, read_image
from nephoscope.data.synthetic import write_dataset
from nephoscope.data.visible import find_visible
from nephoscope.earth.grid import Grid
from nephoscope.earth.scene import Place, Scene
from nephoscope.earth.windows.row_store import read_rows
from nephoscope.inference.ensemble import Ensemble
from nephoscope.inference.result import Result, decide_results
from nephoscope.inference.scenes import predict_scene
from nephoscope.masks.geometry import Image, resize_image
from nephoscope.masks.rle import Mask
from nephoscope.rules.rules import Rules

DEGREES = (14.0, 21.0)
PICTURE = (1400, 2100)
SIZES = ((1400, 2100), (1400, 8400), (2800, 16_800), (5600, 33_600))
"""(height, width) in pixels of 0.01°."""
SOUTH, WEST = -28.0, -168.0
Masks = npt.NDArray[np.bool_]
Crop = tuple[npt.NDArray[np.uint8], Masks]
"""Levels and masks (C×H×w each)."""


class ArrayScene(Scene):
    """An array in memory, in which a picture of 14°×21° has this shape."""

    def __init__(self, image: Image, picture: tuple[int, int]) -> None:
        self.image, self.name, self.source, self.attributes = image, "scene", "", {}
        height, width = image.shape[0] / picture[0] * DEGREES[0], image.shape[1] / picture[1] * DEGREES[1]
        self.place = Place(Grid.from_bounds((0, 0, width, height), image.shape[:2]))

    def read(self, rows: slice, columns: slice) -> tuple[Image, Mask]:
        part = self.image[rows, columns]
        return part, np.ones(part.shape[:2], bool)


class RepeatedScene(Scene):
    """A picture of 1400×2100, repeated over any area. Pixels are made where they are read."""

    def __init__(self, picture: Image, shape: tuple[int, int]) -> None:
        self.picture, self.name, self.source, self.attributes = picture, "scene", "", {}
        east, north = WEST + shape[1] / 100, SOUTH + shape[0] / 100
        self.place = Place(Grid.from_bounds((WEST, SOUTH, east, north), shape))

    def read(self, rows: slice, columns: slice) -> tuple[Image, Mask]:
        down, across = (
            np.arange(part.start, part.stop) % side for part, side in zip((rows, columns), PICTURE, strict=True)
        )
        return self.picture[np.ix_(down, across)], np.ones((len(down), len(across)), bool)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, help="a folder of JPEGs or PNGs of 21°×14° each")
    parser.add_argument("--scenes", type=int, default=15, help="number of scenes of each kind")
    parser.add_argument("--out", type=Path, default=Path("seams.csv"), help="table of seams and shifts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory", action="store_true", help="measure the memory of large scenes")
    arguments = parser.parse_args()
    if arguments.pictures:
        for table in compare_seams(arguments.pictures, arguments.scenes, arguments.seed):
            arguments.out.write_text(table.to_csv(), "utf-8")  # after every scene, because all of them take long
        print(table.to_string())
    if arguments.memory:
        print(measure_memory().to_string(index=False))


@dataclass
class Difference:
    """Sums over scenes of the differences between two ways to predict the same pixels."""

    level: float = 0
    changed: float = 0
    scenes: int = 0
    common: float | npt.NDArray[np.float64] = 0.0
    areas: float | npt.NDArray[np.float64] = 0.0

    def add(self, one: Crop, other: Crop) -> None:
        levels, masks = zip(one, other, strict=True)
        self.level += float(np.abs(levels[0].astype(int) - levels[1]).mean()) / 255
        self.changed += float((masks[0] != masks[1]).mean())
        self.common += np.logical_and(*masks).sum(axis=(1, 2)).astype(float)
        self.areas += (masks[0].sum(axis=(1, 2)) + masks[1].sum(axis=(1, 2))).astype(float)
        self.scenes += 1

    def row(self) -> dict[str, float]:
        dice = 2 * np.asarray(self.common) / np.maximum(1, np.asarray(self.areas))
        return {
            "probability": self.level / self.scenes,
            "pixels changed": self.changed / self.scenes,
            "Dice of all masks": float(2 * np.sum(self.common) / np.sum(self.areas)),
            "lowest Dice of a class": float(dice.min()),
        }


def compare_seams(pictures: Path, scenes: int, seed: int) -> Iterator[pd.DataFrame]:
    """After every scene, a row per comparison: difference of probabilities, share of differing pixels, pooled Dice."""
    model, rules = open_portable(SHIPPED, "onnx")
    differences: dict[str, Difference] = {}
    for kind, images in tqdm(put_together(pictures, scenes, seed), unit="scene"):
        for name, one, other in compare(model, rules, images):
            differences.setdefault(f"{kind}: {name}", Difference()).add(one, other)
        yield pd.DataFrame({name: difference.row() for name, difference in differences.items()}).T


def put_together(folder: Path, scenes: int, seed: int) -> Iterator[tuple[str, list[Image]]]:
    """Kind of scene, and its three pictures from west to east."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in ENDINGS)
    rng = np.random.default_rng(seed)
    for _ in range(scenes):
        images = [read_image(paths[index]) for index in rng.choice(len(paths), 3, replace=False)]
        if len({image.shape for image in images}) == 1:
            yield "side by side", images
        yield "mirrored", [images[0][:, ::-1], images[0], images[0][:, ::-1]]


def compare(model: Ensemble, rules: Rules, images: list[Image]) -> Iterator[tuple[str, Crop, Crop]]:
    """What is compared, and the levels and masks of both ways."""
    picture = images[0].shape[:2]
    pixels = np.concatenate(images, axis=1)
    width = rules.output_shape[1]
    quarter = slice(width // 4, width - width // 4)
    alone = [predict_plainly(model, rules, image) for image in images]
    for name, overlap in (("no overlap", 0.0), ("overlap of half a window", 0.5)):
        whole = predict_scene(model, rules, ArrayScene(pixels, picture), overlap=overlap)
        for index, plain in enumerate(alone):
            begin = index * width
            yield f"{name}, against the picture alone", crop(whole, begin, width), crop(plain, 0, width)
            inner = crop(whole, begin + quarter.start, width // 2), crop(plain, quarter.start, width // 2)
            yield f"{name}, inner half, against the picture alone", *inner
        # Without its first columns, a scene has windows that lie halfway between those of the whole scene.
        left_out = round(picture[1] * (1 - overlap) / 2)
        shifted = predict_scene(model, rules, ArrayScene(pixels[:, left_out:], picture), overlap=overlap)
        cells = 3 * width - shifted.visible.shape[1]
        yield f"{name}, windows shifted by half a step", crop(whole, width, width), crop(shifted, width - cells, width)


def crop(result: Result, start: int, width: int) -> Crop:
    columns = slice(start, start + width)
    return result.levels[..., columns], result.masks[..., columns]


def predict_plainly(model: Ensemble, rules: Rules, image: Image) -> Result:
    fitted = fit_image(image, model.metadata.cache_shape)
    visible = find_visible(fitted, model.metadata.nodata)
    return decide_results([""], model.predict(fitted[None], visible[None]), rules)[0]


def measure_memory() -> pd.DataFrame:
    """A row per size of scene: seconds, peak memory of the process, and size of the result's arrays."""
    rows = []
    for height, width in SIZES:
        seconds, opened, peak = alone(predict_large, (height, width))
        arrays = height * width / 16 * (4 + 4 + 1) / 2**20
        rows.append({
            "scene": f"{width}×{height}", "windows": count_windows(height, width), "seconds": round(seconds, 1),
            "before, MiB": round(opened), "peak, MiB": round(peak), "arrays of the result, MiB": round(arrays),
            "pixels, MiB": round(height * width * 3 / 2**20),
        })  # fmt: skip
    return pd.DataFrame(rows)


def count_windows(height: int, width: int) -> int:
    from nephoscope.earth.windows.plan import plan_windows

    grid = Grid.from_bounds((WEST, SOUTH, WEST + width / 100, SOUTH + height / 100), (height, width))
    plan = plan_windows(grid, DEGREES, (350, 525))
    return len(plan.rows.starts) * len(plan.columns.starts)


def predict_large(shape: tuple[int, int]) -> tuple[float, float, float]:
    """Seconds; MiB with the model open and a picture predicted; peak MiB after every row of the result was read."""
    model, rules = open_portable(SHIPPED, "onnx")
    picture = draw_picture()
    predict_scene(model, rules, RepeatedScene(picture, PICTURE))
    opened = 1024 * peak_gib()
    begin = time.perf_counter()
    result = predict_scene(model, rules, RepeatedScene(picture, shape))
    seconds = time.perf_counter() - begin
    for start in range(0, result.visible.shape[0], 64):
        for array in (result.masks, result.levels, result.visible):
            read_rows(array, slice(start, start + 64))
    return seconds, opened, 1024 * peak_gib()


def draw_picture() -> Image:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        write_dataset(Path(folder) / "scenes", labelled=1, seed=7)
        return resize_image(read_image(next((Path(folder) / "scenes/train_images").iterdir())), PICTURE)


if __name__ == "__main__":
    main()
