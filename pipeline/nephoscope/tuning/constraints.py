"""Constraints on the search: bounds on the precision or recall of presence, or the best F-beta of presence.

A constraint decides which cuts are allowed. The search for the best Dice among them stays the same.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nephoscope.errors import UserError
from nephoscope.settings.tuning import Tune

EVERY = "every"
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Constraint:
    """Bounds on the presence of one class. If no cut satisfies them, the nearest cut is allowed."""

    class_name: str
    min_precision: float = 0.0
    min_recall: float = 0.0
    beta: float | None = None
    """None, or: maximise F-beta first, then Dice among the cuts of equal F-beta"""

    def allow(self, cuts: Bools, weight: Floats, present: Bools) -> Bools:
        """Possible cuts (n + 1), weight and true presence in the order of the search (n each) → allowed cuts."""
        precision, recall = _precision_recall(weight, present)
        shortfall = np.maximum(self.min_precision - precision, 0) + np.maximum(self.min_recall - recall, 0)
        allowed = _largest(-shortfall, cuts)
        return allowed if self.beta is None else _largest(_f_beta(precision, recall, self.beta), allowed)

    def check(self, cuts: Bools, weight: Floats, present: Bools) -> None:
        """Raise `UserError` if no cut satisfies the bounds; the message names what is possible."""
        if not present.any():
            raise UserError(
                f"{self.class_name}: never annotated in validation, so no bound can hold. "
                "Remove the class from tune.min_precision and tune.min_recall"
            )
        precision, recall = (values[cuts] for values in _precision_recall(weight, present))
        if ((precision >= self.min_precision) & (recall >= self.min_recall)).any():
            return
        reached = recall >= self.min_recall
        raise UserError(
            f"{self.class_name}: no presence threshold has precision >= {self.min_precision:g} "
            f"and recall >= {self.min_recall:g}. The highest precision at that recall is "
            f"{precision[reached].max(initial=0):.3f}. Lower the bounds, or improve the classifier"
        )


def _precision_recall(weight: Floats, present: Bools) -> tuple[Floats, Floats]:
    """Precision and recall of all cuts (n + 1 each). The cut that shows nothing has precision 0."""
    shown = np.concatenate(([0.0], np.cumsum(weight)))
    hits = np.concatenate(([0.0], np.cumsum(weight * present)))
    precision = np.divide(hits, shown, out=np.zeros_like(hits), where=shown > 0)
    recall = np.divide(hits, hits[-1], out=np.zeros_like(hits), where=hits[-1] > 0)
    return precision, recall


def _f_beta(precision: Floats, recall: Floats, beta: float) -> Floats:
    bottom = beta**2 * precision + recall
    return np.divide((1 + beta**2) * precision * recall, bottom, out=np.zeros_like(bottom), where=bottom > 0)


def _largest(values: Floats, cuts: Bools) -> Bools:
    return np.asarray(cuts & (values >= values[cuts].max() - 1e-12))


def classes_with_bounds(settings: Tune) -> set[str]:
    """Names in the settings with a bound above 0, `every` among them."""
    bounds = [*settings.min_precision.items(), *settings.min_recall.items()]
    return {name for name, bound in bounds if bound > 0}


def constraints_of(settings: Tune, classes: tuple[str, ...]) -> list[Constraint | None]:
    """One constraint per class; None if only the mean Dice counts."""
    for setting in ("min_precision", "min_recall"):
        unknown = set(getattr(settings, setting)) - {*classes, EVERY}
        if unknown:
            raise UserError(f"tune.{setting}: unknown class {sorted(unknown)}; expected some of {[*classes, EVERY]}")
    return [_constraint_of(settings, name) for name in classes]


def _constraint_of(settings: Tune, class_name: str) -> Constraint | None:
    precision, recall = (
        bounds.get(class_name, bounds.get(EVERY, 0.0)) for bounds in (settings.min_precision, settings.min_recall)
    )
    if settings.objective == "f_beta":
        return Constraint(class_name, precision, recall, settings.beta)
    return Constraint(class_name, precision, recall) if precision > 0 or recall > 0 else None
