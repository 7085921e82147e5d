"""What a person is told when the data are prepared."""

import numpy as np
import numpy.typing as npt

from pipeline.data.faults import Fault
from pipeline.data.manifest import SPLITS, Manifest


def summarise(manifest: Manifest, groups: npt.NDArray[np.int64], faults: list[Fault], found: int) -> str:
    """A few lines: pictures per split, near duplicates, visible share, and what was set aside of the pictures found."""
    counts = ", ".join(f"{len(manifest.rows(split))} {split}" for split in SPLITS)
    sizes = np.bincount(groups)
    lines = [
        f"{len(manifest.images)} pictures: {counts}",
        f"near duplicates: {(sizes[sizes > 1]).sum()} pictures in {(sizes > 1).sum()} groups",
        f"visible: {manifest.images['visible_share'].mean():.1%} of the pixels",
    ]
    if faults:
        aside = found - len(manifest.images)
        lines.append(f"set aside: {aside} pictures with {len(faults)} faults, listed in faults.csv")
    if not len(manifest.rows("holdout")):
        # Nobody should train for hours to learn of it.
        lines.append(
            "no holdout: networks and rules can be made, but evaluate and what follows need prepare.holdout_share"
        )
    return "\n".join(lines)
