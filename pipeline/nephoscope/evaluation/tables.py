"""The tables of an evaluation, and folders of CSV files, one per table."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import accuracy_score, brier_score_loss, precision_recall_fscore_support

from nephoscope.data.formats import HumanDice
from nephoscope.evaluation.intervals import Bootstrap
from nephoscope.evaluation.scores import OVERLAP, PREDICTED, TRUTH, ImageScores
from nephoscope.files import atomic_write
from nephoscope.masks.dice import dice_of_areas

NAMES = ("image_id", "class_name", "member", "pattern")
"""Columns that hold text"""


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame], *, plotted: bool = False) -> None:
    """Write all tables, then move the folder to its place. `plotted`: six fixed digits."""
    # DVC passes numbers to its plots as text, and Vega sorts text: 8.7e-06 would come after 1.0.
    float_format = "%.6f" if plotted else None
    with atomic_write(folder) as unfinished:
        unfinished.mkdir()
        for name, table in tables.items():
            table.to_csv(unfinished / f"{name}.csv", index=False, float_format=float_format)


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file of a stage. Names stay text even if they look like numbers: "0012", "nan"."""
    header = pd.read_csv(path, nrows=0).columns
    unknown = {name: [""] for name in header if name not in NAMES}
    return pd.read_csv(path, dtype=dict.fromkeys(NAMES, str), keep_default_na=False, na_values=unknown)


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    return dict(_named_tables(folder))


def _named_tables(folder: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    for path in sorted(folder.glob("*.csv")):
        yield path.stem, read_table(path)


Dices = npt.NDArray[np.float64]
OURS = "nephoscope"
EMPTY = "all masks empty"
HUMAN_UNION = "human union against human union, real images"
HUMAN_SINGLE = "one human against another, real images"
HUMAN = (HUMAN_UNION, HUMAN_SINGLE)


def dice_table(scores: ImageScores, bootstrap: Bootstrap, human: HumanDice | None) -> pd.DataFrame:
    """reference (the rules first), class_name ("mean" first), dice, low, high."""
    truth = scores.final_areas[..., TRUTH]
    whole = dice_of_areas(truth, truth, scores.pixels)
    dices_of = {
        OURS: scores.dices,
        EMPTY: (truth == 0).astype(float),
        "whole image, every class": whole,
        "perfect presence, whole image": np.where(truth == 0, 1.0, whole),
    }
    tables = [_with_intervals(name, dices, scores.classes, bootstrap) for name, dices in dices_of.items()]
    return pd.concat(tables + ([_human_table(human)] if human else []), ignore_index=True)


def step_table(scores: ImageScores, bootstrap: Bootstrap) -> pd.DataFrame:
    """step, class_name, dice, low, high, gain over the step before (paired by image), gain_low, gain_high.

    The first step has no gain.
    """
    dices = scores.step_dices
    tables = [_with_intervals(step, dices[..., i], scores.classes, bootstrap) for i, step in enumerate(scores.steps)]
    tables[1:] = [
        table.assign(**_gains(dices[..., i], dices[..., i + 1], bootstrap)) for i, table in enumerate(tables[1:])
    ]
    return pd.concat(tables, ignore_index=True).rename(columns={"reference": "step"})


def _gains(before: Dices, after: Dices, bootstrap: Bootstrap) -> dict[str, list[float]]:
    pairs = [(before, after), *zip(before.T, after.T, strict=True)]
    differences = [bootstrap.compare(*pair).difference for pair in pairs]
    names = {"gain": "mean", "gain_low": "low", "gain_high": "high"}
    return {name: [getattr(difference, end) for difference in differences] for name, end in names.items()}


def _with_intervals(name: str, dices: Dices, classes: tuple[str, ...], bootstrap: Bootstrap) -> pd.DataFrame:
    columns = {"mean": dices, **{class_name: dices[:, index] for index, class_name in enumerate(classes)}}
    rows = [(name, key, *vars(bootstrap.interval(scores)).values()) for key, scores in columns.items()]
    return pd.DataFrame(rows, columns=["reference", "class_name", "dice", "low", "high"])


def _human_table(human: HumanDice) -> pd.DataFrame:
    rows = [(HUMAN_UNION, "mean", human.union)]
    rows += [(HUMAN_UNION, name, value) for name, value in human.per_class.items()]
    rows += [(HUMAN_SINGLE, "mean", human.single)]
    return pd.DataFrame(rows, columns=["reference", "class_name", "dice"])


def presence_table(scores: ImageScores, decided: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """Precision, recall and more of the decision on presence (N×C), per class and for any class."""
    present = scores.present
    rows = [
        _presence_row(name, decided[:, index], present[:, index], scores.fused[:, index])
        for index, name in enumerate(scores.classes)
    ]
    rows.append(_presence_row("any", _any(decided), _any(present), scores.fused.max(1)))
    return pd.DataFrame(rows)


def _presence_row(
    name: str, decided: npt.NDArray[np.bool_], present: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]
) -> dict[str, object]:
    # A ratio with denominator 0 is NaN, not 0.
    precision, recall, f1, _ = precision_recall_fscore_support(
        present, decided, average="binary", pos_label=True, zero_division=np.nan
    )
    return {
        "class_name": name,
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1) if present.any() else float("nan"),
        "accuracy": float(accuracy_score(present, decided)),
        "brier": float(brier_score_loss(present, np.clip(scores, 0, 1), pos_label=True)),
        "present": int(present.sum()),
        "decided": int(decided.sum()),
    }


def _any(of_classes: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    return np.asarray(of_classes.any(axis=1))


def pixel_table(scores: ImageScores) -> pd.DataFrame:
    """Confusion of pixels per class: hit (TP), false_alarm (FP), miss (FN), right_nothing (TN)."""
    overlap, truth, predicted = (scores.final_areas[..., i].sum(0) for i in (OVERLAP, TRUTH, PREDICTED))
    columns = {
        "class_name": scores.classes,
        "hit": overlap,
        "false_alarm": predicted - overlap,
        "miss": truth - overlap,
        "right_nothing": scores.pixels * len(scores.image_ids) - truth - predicted + overlap,
    }
    return pd.DataFrame(columns)


def picture_table(scores: ImageScores) -> pd.DataFrame:
    """image_id, mean, Dice per class; worst mean first."""
    table = pd.DataFrame(scores.dices, columns=list(scores.classes))
    table.insert(0, "mean", scores.dices.mean(1))
    table.insert(0, "image_id", scores.image_ids)
    return table.sort_values(["mean", "image_id"], ignore_index=True)
