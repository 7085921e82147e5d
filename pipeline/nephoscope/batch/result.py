"""What is told of a picture, class by class: the same figures in tables, outlines, lines for programs and the app."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from nephoscope.batch.pictures import Record
from nephoscope.data.formats import Format
from nephoscope.masks.rle import parse_runs
from nephoscope.rules.presence import SURE


@dataclass(frozen=True)
class ClassResult:
    """One class in one picture."""

    class_name: str
    presence: float
    """The chance that the class is there."""
    present: bool
    """As the rule decides, which goes for Dice and may say no to what is likelier than not."""
    confidence: float
    """The chance that the decision whether it is there is right."""
    unsure: bool
    area_share: float
    """Of the picture, that the mask covers."""
    rle: str
    """At the output shape."""


def image_id_of(one: Record) -> str:
    return PurePosixPath(one.address).name


def class_results(one: Record, format: Format) -> list[ClassResult]:  # noqa: A002 - the word of the project
    """A picture that could be read → its classes in their order."""
    height, width = format.output_shape
    return [
        ClassResult(
            name,
            round(chance, 4),
            present,
            round(confidence, 4),
            confidence < SURE,
            round(float(parse_runs(rle, format.output_shape)[1].sum()) / (height * width), 4),
            rle,
        )
        for name, rle, chance, present, confidence in zip(
            format.classes, one.rles, one.probabilities, one.present, one.confidences, strict=True
        )
    ]
