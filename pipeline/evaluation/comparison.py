"""Is one run better than another? Both are judged on the same pictures, so they are compared picture by picture."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.evaluation.uncertainty import Bootstrap
from pipeline.mendable import Mendable

Floats = np.ndarray[Any, np.dtype[np.float64]]
KEYS = ["image_id", "class_name"]


def compare_runs(earlier: pd.DataFrame, present: pd.DataFrame, bootstrap: Bootstrap) -> pd.DataFrame:
    """Judgements of two runs (image_id, class_name, truth_area, dice) → class_name ("mean" first), earlier, present,
    difference, low, high, better: the share of resampled sets of pictures on which the present run is ahead."""
    both = earlier.merge(present, on=KEYS, suffixes=("_earlier", "_present"), validate="one_to_one")
    if len(both) != max(len(earlier), len(present)):
        raise Mendable(
            f"the earlier run was judged on {earlier['image_id'].nunique()} pictures, this one on "
            f"{present['image_id'].nunique()}; {both['image_id'].nunique()} are in both. "
            "Only runs with the same holdout can be compared: keep the data, `prepare` and its seed as they were"
        )
    if (both["truth_area_earlier"] != both["truth_area_present"]).any():
        raise Mendable("the two runs were judged against different truths; rerun the earlier one on the present data")
    before, after = (_by_class(both, f"dice_{run}") for run in ("earlier", "present"))
    columns: dict[str, tuple[Floats, Floats]] = {"mean": (before.to_numpy(), after.to_numpy())}
    columns |= {str(name): (before[name].to_numpy(), after[name].to_numpy()) for name in before.columns}
    rows = []
    for name, dices in columns.items():
        compared = bootstrap.compare(*dices)
        rows.append((name, *(one.mean() for one in dices), *vars(compared.difference).values(), compared.better))
    return pd.DataFrame(rows, columns=["class_name", "earlier", "present", "difference", "low", "high", "better"])


def _by_class(judgements: pd.DataFrame, column: str) -> pd.DataFrame:
    """Pictures × classes"""
    return judgements.pivot_table(column, index="image_id", columns="class_name", sort=False)
