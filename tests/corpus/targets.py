"""Every parser behind one call, with the seeds that a fuzzer changes, and the failures that it found."""

import base64
import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from nephoscope.app.errors import RequestError
from nephoscope.app.truth import read_truth
from nephoscope.artifacts import SHIPPED
from nephoscope.bundle.folder import read_model
from nephoscope.data.coco import read_coco
from nephoscope.data.formats import CLOUDS
from nephoscope.data.images import ImageError, decode_image
from nephoscope.data.labels import read_csv_file
from nephoscope.data.own_labels import OwnOptions
from nephoscope.data.problems import Problem
from nephoscope.earth.reading.names import bounds_in_name, find_sensor, parse_bounds, parse_time, time_in_name
from nephoscope.earth.reading.open import open_scenes
from nephoscope.errors import UserError
from nephoscope.masks.rle import RleError, parse_runs
from nephoscope.models.metadata import load_metadata
from nephoscope.rules.rules import read_rules
from nephoscope.settings.params import Params
from tests.builders.network_metadata import metadata
from tests.builders.own_datasets import THREE, coco_content, draw_boxes, write_images
from tests.corpus import documents, pictures, scenes
from tests.corpus.case import Case

FOUND = Path(__file__).parent / "found.json"
"""Target → inputs that broke it once, in base64."""


@dataclass(frozen=True)
class Target:
    """A parser. Any content gives a result or one of the errors that users can read."""

    seeds: Callable[[], Sequence[bytes]]
    parse: Callable[[bytes], object]

    def __call__(self, content: bytes) -> None:
        with suppress(UserError, ImageError, RleError, RequestError):
            self.parse(content)


def sound(cases: Sequence[Case], ending: str = "") -> list[bytes]:
    chosen = [case for case in cases if case.certain and case.refusal is None and case.name.endswith(ending)]
    return [case.content for case in chosen if isinstance(case.content, bytes)]


def in_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A parser of files as a parser of bytes."""

    def parse(content: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            return read(path)

    return parse


def read_scene(path: Path) -> None:
    for scene in open_scenes(path):
        with suppress(UserError):
            height, width = (min(200, side) for side in scene.place.grid.shape)
            scene.read(slice(0, height), slice(0, width))
        scene.close()


def read_description(path: Path) -> None:
    for other in SHIPPED.iterdir():
        if other.name != path.name:
            (path.parent / other.name).symlink_to(other)
    read_model(path.parent)


def read_annotations(path: Path) -> None:
    write_images(path.parent, draw_boxes(THREE, 3))
    problems: list[Problem] = []
    read_coco(path.parent, OwnOptions(output_shape=(80, 120)), problems)


def read_name(content: bytes) -> None:
    text = content.decode("utf-8", "surrogateescape")
    bounds_in_name(text)
    time_in_name(text)
    find_sensor(text)
    for parse in (parse_bounds, parse_time):
        with suppress(UserError):
            parse(text)


def read_placed(path: Path) -> None:
    pictures.scene().save(path.with_suffix(".png"))
    read_scene(path.with_suffix(".png"))


NAMES = (b"Aqua_CorrectedReflectance20071227_-61--40_10-24.jpeg", b"MYD021KM.A2008020.1645.061.hdf",
         b"-61,10,-40,24", b"2020-01-26T13:30:00Z", b"goes16_2020-02-30 1330.png")  # fmt: skip
RULES = (SHIPPED / "rules.json").read_bytes()

TARGETS = {
    "pictures": Target(lambda: sound(pictures.cases()), lambda content: decode_image(content, near=(64, 96))),
    "geotiff": Target(lambda: sound(scenes.cases(), ".tif"), in_file("a.tif", read_scene)),
    "netcdf": Target(lambda: sound(scenes.cases(), ".nc"), in_file("a.nc", read_scene)),
    "rle": Target(
        lambda: [b"1 3 9 2", b"5 2 1 3", b" 1 3\n9 2 ", b"183750 1"],
        lambda content: parse_runs(content.decode("utf-8", "replace"), (350, 525)),
    ),
    "tables": Target(lambda: sound(documents.tables(), ".csv"), in_file("train.csv", read_csv_file)),
    "archives": Target(lambda: sound(documents.tables(), ".zip"), in_file("train.csv.zip", read_csv_file)),
    "truth": Target(
        lambda: sound(documents.tables(), ".csv"), lambda content: read_truth(content[:4000], CLOUDS, "a.jpg")
    ),
    "settings": Target(
        lambda: [case.content for case in documents.settings() if isinstance(case.content, bytes)],
        in_file("params.yaml", Params.load),
    ),
    "rules": Target(lambda: [RULES], in_file("rules.json", read_rules)),
    "descriptions": Target(lambda: [(SHIPPED / "model.json").read_bytes()], in_file("model.json", read_description)),
    "checkpoints": Target(
        lambda: [save({"weight": np.zeros(2, np.float32)}, metadata().to_header())],
        in_file("a.safetensors", load_metadata),
    ),
    "coco": Target(
        lambda: [json.dumps(coco_content(draw_boxes(THREE, 3), THREE)).encode()],
        in_file("annotations.json", read_annotations),
    ),
    "names": Target(lambda: NAMES, read_name),
    "world files": Target(lambda: [b"0.05\n0\n0\n-0.05\n-60.975\n11.975\n"], in_file("a.pgw", read_placed)),
}


def read_found() -> dict[str, list[bytes]]:
    content = json.loads(FOUND.read_text("utf-8")) if FOUND.exists() else {}
    return {name: [base64.b64decode(text) for text in texts] for name, texts in content.items()}


def keep_found(name: str, content: bytes) -> None:
    """Keep an input that broke a parser. A test replays it for ever."""
    found = read_found()
    found[name] = sorted({*found.get(name, []), content})
    texts = {target: [base64.b64encode(one).decode() for one in found[target]] for target in sorted(found)}
    FOUND.write_text(json.dumps(texts, indent=1) + "\n", "utf-8")
