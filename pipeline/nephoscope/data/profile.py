"""The data profile: tables that describe the labelled images. Areas are pixels at the output shape."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from nephoscope.data.manifest import SPLITS, Manifest
from nephoscope.data.problems import Problem


def profile_tables(manifest: Manifest) -> dict[str, pd.DataFrame]:
    """Name → table."""
    return {
        "images_per_split": count_images_per_split(manifest),
        "masks_per_image": count_masks_per_image(manifest),
        "images_per_class": count_images_per_class(manifest),
        "co_occurrence": count_co_occurrence(manifest),
        "presence_patterns": count_presence_patterns(manifest),
        "area_per_class": describe_areas(manifest),
    }


def count_images_per_split(manifest: Manifest) -> pd.DataFrame:
    """split, images, visible_share (mean), and per class the share of images that show it."""
    rows = []
    for split in SPLITS:
        chosen = manifest.rows(split)
        visible = manifest.images["visible_share"].iloc[chosen].mean()
        shares = manifest.presence(chosen).mean(axis=0) if len(chosen) and split != "unlabelled" else _unknown(manifest)
        rows.append([split, len(chosen), visible, *shares])
    return pd.DataFrame(rows, columns=["split", "images", "visible_share", *manifest.metadata.classes])


def count_masks_per_image(manifest: Manifest) -> pd.DataFrame:
    """masks (0 to the number of classes), images, share."""
    counts = np.bincount(_presence(manifest).sum(axis=1), minlength=len(manifest.metadata.classes) + 1)
    return pd.DataFrame({"masks": np.arange(len(counts)), "images": counts, "share": counts / counts.sum()})


def count_images_per_class(manifest: Manifest) -> pd.DataFrame:
    """class_name, images (that show it), share, empty (images that do not), empty_share."""
    presence = _presence(manifest)
    images, total = presence.sum(axis=0), len(presence)
    empty = total - images
    return pd.DataFrame(
        {
            "class_name": manifest.metadata.classes,
            "images": images,
            "share": images / total,
            "empty": empty,
            "empty_share": empty / total,
        }
    )


def count_co_occurrence(manifest: Manifest) -> pd.DataFrame:
    """class_name, and per class the number of images that show both; on the diagonal, those that show the class."""
    presence = _presence(manifest).astype(int)
    counts = pd.DataFrame(presence.T @ presence, columns=list(manifest.metadata.classes))
    counts.insert(0, "class_name", manifest.metadata.classes)
    return counts


def count_presence_patterns(manifest: Manifest) -> pd.DataFrame:
    """pattern ("Fish + Sugar"), its images in train, validation and holdout, and all; the most frequent first."""
    labelled = manifest.images[manifest.images["split"] != "unlabelled"]
    names = np.array(manifest.metadata.classes)
    patterns = pd.Series([" + ".join(names[present]) or "none" for present in _presence(manifest)], name="pattern")
    counts = pd.crosstab(patterns, labelled["split"].to_numpy()).reindex(columns=list(SPLITS[:3]), fill_value=0)
    counts["all"] = counts.sum(axis=1)
    return counts.reset_index().sort_values(["all", "pattern"], ascending=[False, True], ignore_index=True)


def describe_areas(manifest: Manifest) -> pd.DataFrame:
    """class_name, masks (not empty), mean, median, std, min and max of their areas, mean_share of the image."""
    height, width = manifest.metadata.output_shape
    rows = []
    for name in manifest.metadata.classes:
        shares = manifest.images[f"area_{name}"]
        areas = shares[shares > 0] * (height * width)
        figures = [areas.mean(), areas.median(), areas.std(), areas.min(), areas.max()]
        rows.append([name, len(areas), *np.round(figures, 1), areas.mean() / (height * width)])
    columns = ["class_name", "masks", "mean", "median", "std", "min", "max", "mean_share"]
    return pd.DataFrame(rows, columns=columns)


def _presence(manifest: Manifest) -> np.ndarray:
    return manifest.presence(manifest.rows(*SPLITS[:3]))


def _unknown(manifest: Manifest) -> list[float]:
    return [float("nan")] * len(manifest.metadata.classes)


def summarise(manifest: Manifest, groups: npt.NDArray[np.int64], problems: list[Problem], file_count: int) -> str:
    """A few lines: images per split, near duplicates, visible share, and how many of the files were set aside."""
    counts = ", ".join(f"{len(manifest.rows(split))} {split}" for split in SPLITS)
    sizes = np.bincount(groups)
    lines = [
        f"{len(manifest.images)} images: {counts}",
        f"near duplicates: {(sizes[sizes > 1]).sum()} images in {(sizes > 1).sum()} groups",
        f"visible: {manifest.images['visible_share'].mean():.1%} of the pixels",
    ]
    if problems:
        set_aside = file_count - len(manifest.images)
        lines.append(f"set aside: {set_aside} images with {len(problems)} problems, listed in problems.csv")
    if not len(manifest.rows("holdout")):
        # Reported here, before hours of training.
        lines.append("no holdout: `evaluate` and the stages after it will fail; set prepare.holdout_share above 0")
    return "\n".join(lines)
