"""Write labelled scenes of the synthetic data set in another format, as an example of your own data:

    python -m docs.own_data data/own --format masks

Formats: masks, coco, boxes. `artifacts/synthesize/dataset` must exist: `python -m stages.synthesize` writes it.
"""

import argparse
import csv
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from nephoscope.artifacts import Artifacts, require_artifact
from nephoscope.batch.coco import to_coco
from nephoscope.data.formats import CLOUDS
from nephoscope.data.labels import read_labels
from nephoscope.masks.rle import decode_rle

Labels = list[tuple[str, str, str]]
"""image_id, class_name, RLE at the format's shape; empty masks are left out"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="new folder of the data set")
    parser.add_argument("--format", choices=WRITERS, default="masks")
    parser.add_argument("--count", type=int, default=120, help="number of labelled images")
    arguments = parser.parse_args()
    dataset = require_artifact(Artifacts().synthesize.dataset, "synthesize")
    table = read_labels(dataset, CLOUDS, []).table
    image_ids = table["image_id"].drop_duplicates().tolist()[: arguments.count]
    for folder, names in (("train_images", image_ids), ("test_images", None)):
        (arguments.folder / folder).mkdir(parents=True)
        for path in sorted((dataset / folder).iterdir()):
            if names is None or path.name in names:
                shutil.copy(path, arguments.folder / folder)
    chosen = table[table["image_id"].isin(image_ids) & (table["rle"] != "")]
    labels: Labels = list(chosen[["image_id", "class_name", "rle"]].itertuples(index=False, name=None))
    WRITERS[arguments.format](arguments.folder, image_ids, labels)
    print(f"{arguments.folder}: {len(image_ids)} labelled images, {len(labels)} masks as {arguments.format}")


def write_masks(folder: Path, _: list[str], labels: Labels) -> None:
    """masks/<image>_<class>.png"""
    (folder / "masks").mkdir()
    for image_id, class_name, rle in labels:
        mask = decode_rle(rle, CLOUDS.rle_shape)
        cv2.imwrite(str(folder / f"masks/{Path(image_id).stem}_{class_name}.png"), 255 * mask.view(np.uint8))


def write_coco(folder: Path, image_ids: list[str], labels: Labels) -> None:
    """annotations.json"""
    height, width = CLOUDS.rle_shape
    content: dict[str, list[dict[str, Any]]] = {
        "images": [
            {"id": number, "file_name": image_id, "height": height, "width": width}
            for number, image_id in enumerate(image_ids)
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(CLOUDS.classes)],
        "annotations": [],
    }
    for number, (image_id, class_name, rle) in enumerate(labels):
        keys = {"id": number, "image_id": image_ids.index(image_id), "category_id": CLOUDS.classes.index(class_name)}
        content["annotations"].append({**keys, **to_coco(rle, CLOUDS.rle_shape)})
    (folder / "annotations.json").write_text(json.dumps(content))


def write_boxes(folder: Path, image_ids: list[str], labels: Labels) -> None:
    """boxes.csv, with the box around each mask, and an empty row for an image without masks."""
    with (folder / "boxes.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "x1", "y1", "x2", "y2", "label"])
        for image_id, class_name, rle in labels:
            left, top, width, height = to_coco(rle, CLOUDS.rle_shape)["bbox"]
            writer.writerow([image_id, left, top, left + width, top + height, class_name])
        labelled = {image_id for image_id, *_ in labels}
        writer.writerows([image_id, "", "", "", "", ""] for image_id in image_ids if image_id not in labelled)


WRITERS = {"masks": write_masks, "coco": write_coco, "boxes": write_boxes}


if __name__ == "__main__":
    main()
