"""Sample pictures with their masks drawn over them: a row per class, from its smallest mask to its largest."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pipeline.data.cache import Cache
from pipeline.data.findings_figures import COLOURS
from pipeline.data.images import read_resized
from pipeline.data.manifest import Manifest
from pipeline.data.overlay import draw_overlay
from pipeline.data.truth import Truth
from pipeline.masks.geometry import Image, resize_mask

QUANTILES = (0.02, 0.35, 0.65, 0.98)
QUANTILES_OF_LONG_PICTURES = (0.25, 0.98)
FIGURE_WIDTH = 12.8  # inches


def draw_samples(manifest: Manifest, truth: Truth, cache: Cache, root: Path) -> Figure:
    """Pictures of train alone: who looks at the samples learns nothing of validation and holdout."""
    classes, (height, width) = manifest.facts.classes, manifest.facts.judged_shape
    quantiles = QUANTILES if width < 3 * height else QUANTILES_OF_LONG_PICTURES
    panel_height = FIGURE_WIDTH / len(quantiles) * height / width
    figure = Figure(figsize=(FIGURE_WIDTH, (panel_height + 0.3) * len(classes) + 0.5), layout="constrained")
    panels = figure.subplots(len(classes), len(quantiles), squeeze=False)
    for class_name, line in zip(classes, panels, strict=True):
        line[0].set_ylabel(class_name)
        for axes in line:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_frame_on(False)
        # A class with few pictures leaves panels empty.
        for axes, row in zip(line, choose_rows(manifest, class_name, quantiles), strict=False):
            axes.imshow(_draw(row, manifest, truth, cache, root))
            axes.set_title(str(manifest.images["image_id"].iloc[row]), fontsize=8)
    _add_legend(figure, classes)
    return figure


def choose_rows(manifest: Manifest, class_name: str, quantiles: Sequence[float]) -> list[int]:
    """Rows of train that show the class, at these quantiles of its area, each row once."""
    areas = manifest.images[f"area_{class_name}"].iloc[manifest.rows("train")]
    shown = areas[areas > 0].sort_values(kind="stable")
    places = dict.fromkeys(round(quantile * (len(shown) - 1)) for quantile in quantiles)
    return [int(shown.index[place]) for place in places] if len(shown) else []


def _draw(row: int, manifest: Manifest, truth: Truth, cache: Cache, root: Path) -> Image:
    entry, shape = manifest.images.iloc[row], manifest.facts.judged_shape
    image = read_resized(root / entry["file"], shape)
    return draw_overlay(image, truth.masks(entry["image_id"]), resize_mask(np.asarray(cache.visible[row]), shape))


def _add_legend(figure: Figure, classes: tuple[str, ...]) -> None:
    for class_name, colour in zip(classes, COLOURS, strict=False):
        figure.axes[0].plot([], [], color=colour, linewidth=4, label=class_name)
    figure.legend(loc="outside upper center", ncols=len(classes), frameon=False)
