"""Which pictures a page shows: best, median and worst, each picture once."""

from collections.abc import Collection

import pandas as pd


def choose_worst(pictures: pd.DataFrame, count: int) -> list[str]:
    """image_ids, worst first; `pictures` are sorted that way."""
    return pictures["image_id"].head(count).tolist()


def choose_best(showing: pd.DataFrame, count: int, taken: Collection[str]) -> list[str]:
    """image_ids, best first, of `showing` (worst first) that are not taken yet."""
    return _left(showing, taken)[::-1][:count]


def choose_median(showing: pd.DataFrame, count: int, taken: Collection[str]) -> list[str]:
    """image_ids around the median of `showing`, worst first, that are not taken yet."""
    ranks = {image_id: rank for rank, image_id in enumerate(showing["image_id"])}
    middle = (len(ranks) - 1) / 2
    nearest = sorted(_left(showing, taken), key=lambda image_id: abs(ranks[image_id] - middle))
    return sorted(nearest[:count], key=lambda image_id: ranks[image_id])


def that_show_a_class(pictures: pd.DataFrame, judgements: pd.DataFrame) -> pd.DataFrame:
    """A picture without classes that is left empty is right, but shows nothing."""
    shows = judgements.loc[judgements["truth_area"] > 0, "image_id"]
    return pictures[pictures["image_id"].isin(shows)]


def _left(pictures: pd.DataFrame, taken: Collection[str]) -> list[str]:
    return [image_id for image_id in pictures["image_id"] if image_id not in taken]
