"""What is decided of an image: its masks and the presence of every class."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nephoscope.earth.scene import Place
from nephoscope.earth.validity import Domain
from nephoscope.earth.windows.fields import Field
from nephoscope.earth.writing.dataset import to_dataset
from nephoscope.earth.writing.geojson import to_geojson as to_earth_geojson
from nephoscope.errors import UserError
from nephoscope.evaluation.store import Prediction
from nephoscope.figures.overlays import draw_overlay, write_names
from nephoscope.masks.geometry import Image, resize_image
from nephoscope.masks.outlines import to_geojson
from nephoscope.masks.rle import Mask, encode_rle
from nephoscope.provenance import Provenance
from nephoscope.rules.decide import decide_masks
from nephoscope.rules.presence import SURE, RawPresences, decide_presence
from nephoscope.rules.rules import Levels, Rules

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, repr=False)
class Result:
    """One image. Arrays over classes follow the order of `classes`; maps have the output shape (H×W)."""

    image_id: str
    classes: tuple[str, ...]
    masks: npt.NDArray[np.bool_]
    """C×H×W: the decided masks."""
    presence: npt.NDArray[np.float64]
    """C: calibrated probability that the class is there."""
    present: npt.NDArray[np.bool_]
    """C: the decision. A present class may still have an empty mask, if all its components are too small."""
    confidence: npt.NDArray[np.float64]
    """C: probability that the decision is right."""
    levels: Levels
    """C×H×W uint8: pixel probabilities as 8-bit levels, round(255·p)."""
    visible: Mask
    """H×W: False where the satellite saw nothing."""
    place: Place | None = None
    """Where and when it was seen; None if that is not known."""
    presence_map: npt.NDArray[np.float32] | Field | None = None
    """C×H×W: presence around every pixel, for a scene of several windows; a field is an array after
    `np.asarray`. NaN where no window says anything. None: it is `presence` everywhere."""
    confidence_map: npt.NDArray[np.float32] | Field | None = None
    """C×H×W, as `presence_map`."""
    domain: Domain | None = field(default=None, compare=False)
    """On which images the model was validated; None if that is not known."""
    notes: Mapping[str, str] = field(default_factory=dict, compare=False)
    """How the image was read, such as {"placed": "by its file name", "stretch": "…"}."""
    provenance: Provenance | None = field(default=None, repr=False, compare=False)
    read_image: Callable[[], Image] | None = field(default=None, repr=False, compare=False)
    """Reads the image again, for `plot`."""

    @property
    def unsure(self) -> npt.NDArray[np.bool_]:
        """C: True where the confidence is below two thirds."""
        return self.confidence < SURE

    @property
    def probability(self) -> npt.NDArray[np.float32]:
        """C×H×W: pixel probabilities, NaN where nothing was seen."""
        return np.where(self.visible, self.levels / np.float32(255), np.float32(np.nan))

    def __repr__(self) -> str:
        classes = zip(self.classes, self.presence, self.present, strict=True)
        shown = ", ".join(f"{name} {'yes' if here else 'no'} ({share:.2f})" for name, share, here in classes)
        return f"<nephoscope.Result of {self.image_id}: {shown}>"

    def to_rle(self) -> dict[str, str]:
        """Class name → run-length code of its mask at the output shape, as the competition writes it."""
        return {name: encode_rle(mask) for name, mask in zip(self.classes, self.masks, strict=True)}

    def to_geojson(self) -> dict[str, Any]:
        """A FeatureCollection with a MultiPolygon per class that is not empty.

        Coordinates are longitude and latitude (RFC 7946) where the image has a place, otherwise pixels of the mask.
        """
        properties = {
            name: {
                "presence": round(float(self.presence[index]), 4),
                "present": bool(self.present[index]),
                "confidence": round(float(self.confidence[index]), 4),
                "unsure": bool(self.unsure[index]),
                "area_share": round(float(self.masks[index].mean()), 4),
            }
            for index, name in enumerate(self.classes)
        }
        attributes = {} if self.provenance is None else self.provenance.to_attributes()
        if self.place is None:
            return to_geojson(self.masks, self.classes, self.image_id, properties, attributes)
        return to_earth_geojson(self.masks, self.classes, self.image_id, properties, self.place, attributes)

    def to_xarray(self) -> "xr.Dataset":
        """Masks, probabilities and flags with their coordinates; see `docs/maps.md`. Needs the extra `earth`."""
        return to_dataset(self)

    def overlay(self, image: Image | None = None) -> Image:
        """The image at the output shape (H×W×3), every mask outlined and named, stripes where nothing was seen."""
        if image is None:
            if self.read_image is None:
                raise UserError("this result does not know its image; pass it: result.overlay(image)")
            image = self.read_image()
        image = resize_image(image, self.visible.shape)
        return write_names(draw_overlay(image, self.masks, self.visible), self.masks, self.classes)

    def plot(self, ax: Any = None) -> Any:
        """Draw the overlay into Matplotlib axes (new ones by default), and return the axes."""
        from matplotlib import pyplot

        axes = ax or pyplot.subplots(figsize=(9, 6), layout="constrained")[1]
        axes.imshow(self.overlay())
        axes.set_axis_off()
        axes.set_title(self.image_id)
        return axes


def decide_results(image_ids: Sequence[str], predictions: Sequence[Prediction], rules: Rules) -> list[Result]:
    """Predictions of N images → their results. The presence of all images is decided at once."""
    if not predictions:
        return []
    decision = decide_presence(raw_presences(predictions), rules)
    rows = zip(
        image_ids,
        predictions,
        decision.probability,
        decision.compared,
        decision.present,
        decision.confidence,
        strict=True,
    )
    return [
        Result(
            image_id,
            rules.classes,
            decide_masks(compared, prediction.top_mean, prediction.levels, prediction.visible, rules),
            probability,
            present,
            confidence,
            prediction.levels,
            prediction.visible,
        )
        for image_id, prediction, probability, compared, present, confidence in rows
    ]


def raw_presences(predictions: Sequence[Prediction]) -> RawPresences:
    """Predictions of N images → what the networks say of presence, N×C each."""
    return RawPresences(
        np.stack([prediction.classifier for prediction in predictions]),
        np.stack([prediction.top_mean for prediction in predictions]),
    )
