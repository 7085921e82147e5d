"""How many scientists agree with each label, how that relates to a model's errors, and which score is possible at best:

    python -m benchmarks.agreement artifacts --boxes boxes.csv

`boxes.csv` (file, x1, y1, x2, y2, label; pixels of the original images) contains the boxes of single scientists. The
labels are the union of about three scientists. `benchmarks.opinions` finds the boxes of an image by their overlap.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import brentq, minimize
from scipy.stats import beta, betabinom
from sklearn.linear_model import LinearRegression
from tqdm import tqdm

from benchmarks.opinions import Opinions, find_files
from benchmarks.robustness import open_labelled
from nephoscope.artifacts import Artifacts
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest
from nephoscope.evaluation.label_issues import find_label_issues, sort_by_surprise
from nephoscope.rules.presence import decide_presence
from nephoscope.rules.rules import Rules, read_rules
from nephoscope.tuning.evidence import Evidence, gather

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
FIRSTS = (100, 300, 1000)
STEPS = 100_000
"""Number of simulated images behind a ceiling."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifacts", type=Path, help="of a finished run: prepare, predict and tune are read")
    parser.add_argument("--boxes", type=Path, required=True, help="the scientists' boxes, as CSV")
    arguments = parser.parse_args()

    artifacts = Artifacts(arguments.artifacts)
    manifest = Manifest.load(artifacts.prepare.manifest)
    rules = read_rules(artifacts.tune.rules)
    opinions = Opinions.read(arguments.boxes, manifest.metadata.classes, manifest.metadata.rle_shape)
    cache = Cache.open(artifacts.prepare.cache)
    files, by_chance = (find_files(opinions, cache, mirrored=mirrored) for mirrored in (False, True))
    print_table("boxes found", pd.DataFrame([{
        "pictures": len(files), "their boxes found": len(files) - files.count(""),
        "mirrored, by chance": len(files) - by_chance.count(""),
    }]))  # fmt: skip

    file_of = pd.Series(files, index=manifest.images["image_id"])
    label_issues = []
    for split in ("validation", "holdout"):
        labelled = open_labelled(artifacts, split)
        label_issues.append(find_label_issues(labelled, rules, split))
        evidence = gather(labelled).adapted(rules.adaptive_power)
        behind = file_of.loc[list(labelled.image_ids)].to_numpy()
        votes = opinions.votes.loc[behind[behind != ""]]
        picked = evidence.take(np.flatnonzero(behind != ""))
        print_table(f"{split}: {len(picked)} of {len(evidence)} pictures", shown_by_votes(votes, picked, rules))
        print_table(f"{split}: ceilings", ceilings(opinions.votes, votes, picked, evidence, rules))
    surprising = sort_by_surprise(pd.concat(label_issues))
    print_table("labels that the networks contradict", contradicted_by_votes(surprising, file_of, opinions.votes))


def print_table(title: str, table: pd.DataFrame) -> None:
    tqdm.write(f"{title}\n{table.to_string(index=False, float_format='{:.3f}'.format, na_rep='')}\n")


def shown_by_votes(votes: pd.DataFrame, evidence: Evidence, rules: Rules) -> pd.DataFrame:
    """A row per class and number of scientists who drew it (none, one, two, more).

    Columns: number of images, the share in which the model predicts the class, and the Dice of its masks if it did so
    in all of them.
    """
    shown = decide_presence(evidence.raw, rules).present
    gains = shown_gains(evidence, rules)
    rows = []
    for index, name in enumerate(evidence.classes):
        present = evidence.present[:, index]
        # A label that no published scientist drew comes from a scientist who is not published: count one.
        counts = np.where(present, np.clip(votes[name].to_numpy(), 1, 3), 0)
        for count, by in enumerate(("nobody", "one", "two", "three or more")):
            of = counts == count
            rows.append({
                "class": name, "drawn by": by, "pictures": int(of.sum()), "share shown": mean(shown[of, index]),
                "Dice if shown": mean(gains[of, index]) if count else np.nan,
            })  # fmt: skip
    return pd.DataFrame(rows)


def contradicted_by_votes(surprising: pd.DataFrame, file_of: pd.Series, votes: pd.DataFrame) -> pd.DataFrame:
    """How many scientists drew the classes in the most surprising labels; only labels that contain the class."""
    files = file_of.loc[surprising["image_id"]].to_numpy()
    has_votes = surprising["annotated"].to_numpy() & (files != "")
    labels = zip(files[has_votes], surprising["class_name"][has_votes], strict=True)
    drawn = np.array([max(1, votes.loc[file, name]) for file, name in labels])
    places = np.flatnonzero(has_votes)
    rows = []
    for first in (*FIRSTS, len(surprising)):
        of = drawn[places < first]
        rows.append({"first": first, "drawn, by known": len(of), "by one alone": mean(of == 1), "two": mean(of == 2)})
    return pd.DataFrame(rows)


def mean(values: npt.NDArray[np.generic]) -> float:
    return float(values.mean()) if values.size else np.nan


def shown_gains(evidence: Evidence, rules: Rules) -> Floats:
    """N×C: Dice of the masks where the class is present, as if the presence threshold were always reached."""
    classes = zip(evidence.of_class, rules.rules, strict=True)
    return np.stack([class_evidence.gains_of(rule) for class_evidence, rule in classes], axis=1)


@dataclass(frozen=True)
class Rates:
    """The probability that a scientist draws a class. It varies between images by a beta distribution."""

    a: float
    b: float

    @classmethod
    def fit(cls, drawn: Ints, asked: Ints) -> Self:
        """Maximum likelihood, for how many of the asked scientists drew the class in each image."""
        optimum = minimize(
            lambda log: -betabinom.logpmf(drawn, asked, *np.exp(log)).sum(), np.zeros(2), method="Nelder-Mead"
        )
        return cls(*np.exp(optimum.x))

    def asked_for(self, share: float) -> float:
        """The number of scientists for which at least one draws the class in this share of the images."""
        rates = self.spread()
        return float(brentq(lambda asked: self.union(rates, asked).mean() - share, 0.01, 1000))

    def spread(self) -> Floats:
        return np.asarray(beta.ppf((np.arange(STEPS) + 0.5) / STEPS, self.a, self.b), np.float64)

    @staticmethod
    def union(rates: Floats, asked: float) -> Floats:
        """Probability that at least one of the asked scientists draws it."""
        return np.asarray(1 - (1 - rates) ** asked, np.float64)


def ceilings(
    all_votes: pd.DataFrame, votes: pd.DataFrame, evidence: Evidence, everything: Evidence, rules: Rules
) -> pd.DataFrame:
    """The best possible scores of a model that knows, per image, the probability that a scientist draws the class, but
    not which scientists were asked. Its masks are those of the model, which are better where more scientists agree."""
    gains = shown_gains(evidence, rules)
    shown = decide_presence(everything.raw, rules).present
    dices = everything.dices(rules)
    rows = []
    for index, name in enumerate(evidence.classes):
        drawn, asked = all_votes[name].to_numpy(), all_votes["asked"].to_numpy()
        rates = Rates.fit(drawn, asked)
        share = everything.present[:, index].mean()
        count = rates.asked_for(share)
        chance = rates.union(rates.spread(), count)
        present = evidence.present[:, index]
        of_votes = (rates.a + votes[name]) / (rates.a + rates.b + votes["asked"])
        dice = dice_at(rates.spread(), chance, of_votes.to_numpy()[present], gains[present, index])
        right = everything.present[:, index] == shown[:, index]
        rows.append({
            "class": name, "present": share, "asked": count,
            "average precision at best": expected_precision(chance),
            "right": right.mean(), "right at best": np.maximum(chance, 1 - chance).mean(),
            "Dice": dices[:, index].mean(), "Dice at best": np.maximum(chance * dice, 1 - chance).mean(),
            "Dice, presence known": (chance * dice + 1 - chance).mean(),
        })  # fmt: skip
    table = pd.DataFrame(rows)
    return pd.concat([table, pd.DataFrame([{"class": "mean", **table.drop(columns="class").mean()}])])


def dice_at(rates: Floats, chance: Floats, rates_seen: Floats, dices_seen: Floats) -> Floats:
    """Dice of the masks as a linear function of the rate, scaled to the observed mean where the class is present."""
    line = LinearRegression().fit(rates_seen[:, None], dices_seen)
    fitted = np.clip(line.predict(np.clip(rates, rates_seen.min(), rates_seen.max())[:, None]), 0, 1)
    return np.asarray(fitted * dices_seen.mean() * chance.sum() / (fitted * chance).sum(), np.float64)


def expected_precision(chance: Floats) -> float:
    """Expected average precision of images ranked by these probabilities, if the probabilities are correct.

    >>> round(expected_precision(np.array([1.0, 1.0, 0.5, 0.5])), 3)
    0.931
    """
    ordered = np.sort(chance)[::-1]
    return float(ordered @ (np.cumsum(ordered) / np.arange(1, len(ordered) + 1)) / ordered.sum())


if __name__ == "__main__":
    main()
