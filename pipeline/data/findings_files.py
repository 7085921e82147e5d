"""The findings as files: a CSV per table, a PNG per figure, in one folder that is whole or absent."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from pipeline.artifacts import writing
from pipeline.data.cache import Cache
from pipeline.data.findings import find_all
from pipeline.data.findings_figures import (
    draw_areas,
    draw_co_occurrence,
    draw_images_per_class,
    draw_masks_per_image,
)
from pipeline.data.manifest import Manifest
from pipeline.data.samples import draw_samples
from pipeline.data.truth import Truth

DPI = 110


def write_findings(
    folder: Path, manifest: Manifest, truth: Truth, cache: Cache, groups: npt.NDArray[np.int64], root: Path
) -> None:
    """Everything worth knowing about the data; `groups` are the near duplicates among the labelled pictures."""
    tables = find_all(manifest) | {"near_duplicates": list_duplicates(manifest, groups)}
    figures: dict[str, Figure] = {
        "masks_per_image": draw_masks_per_image(tables["masks_per_image"]),
        "images_per_class": draw_images_per_class(tables["images_per_class"]),
        "co_occurrence": draw_co_occurrence(tables["co_occurrence"]),
        "area_per_class": draw_areas(manifest.images, manifest.facts.classes),
        "samples": draw_samples(manifest, truth, cache, root),
    }
    with writing(folder) as unfinished:
        unfinished.mkdir()
        for name, table in tables.items():
            table.to_csv(unfinished / f"{name}.csv", index=False)
        for name, figure in figures.items():
            figure.savefig(unfinished / f"{name}.png", dpi=DPI)


def list_duplicates(manifest: Manifest, groups: npt.NDArray[np.int64]) -> pd.DataFrame:
    """group, image_id, split of the labelled pictures that are not alone in their group."""
    labelled = manifest.images.iloc[: len(groups)][["image_id", "split"]]
    table = labelled.assign(group=groups)[["group", "image_id", "split"]]
    return table[table["group"].duplicated(keep=False)].sort_values(["group", "image_id"], ignore_index=True)
