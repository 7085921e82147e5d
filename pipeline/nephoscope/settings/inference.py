"""Settings of `predict`, `explain`, `submit` and `export`."""

from typing import Annotated, Literal

from pydantic import Field

from nephoscope.settings.section import Device, Machine, NoRepeats, Section


class Predict(Section):
    flips: Annotated[tuple[Literal["none", "horizontal", "vertical", "both"], ...], NoRepeats] = Field(
        ("none", "horizontal"), min_length=1, description="views of an image; their probabilities are averaged"
    )
    top_fraction: float = Field(
        0.1,
        gt=0,
        le=1,
        description="share of the visible pixels, highest probability first; their mean is a score of presence",
    )
    classifiers: int | None = Field(
        None,
        ge=1,
        description="number of classifiers that are exported and run on new images, in the order of training; "
        "null: all",
    )
    segmenters: int | None = Field(None, ge=1, description="the same for segmenters")
    batch_size: int = Field(16, ge=1, description="images per batch")
    machine: Machine = Machine()


class Explain(Section):
    worst: int = Field(
        3, ge=0, description="number of heat maps per class and kind of error (false positives, false negatives)"
    )
    machine: Device = Device()


class Submit(Section):
    batch_size: int = Field(16, ge=1, description="images per batch")
    machine: Device = Device()


class Export(Section):
    tolerance: float = Field(
        1e-3, gt=0, description="largest allowed difference between the probabilities of ONNX and PyTorch"
    )
    half: bool = Field(
        False, description="store weights in 16 bits, at half the size; ONNX is then compared with these weights"
    )
    checked_pictures: int = Field(16, ge=1, description="number of images on which ONNX is compared with PyTorch")
    licence: str = Field("", description="terms and citation, shown on the model card")
