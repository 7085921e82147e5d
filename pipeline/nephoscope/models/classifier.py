"""The classifier: which classes an image shows. Any timm model with a new head."""

from collections.abc import Iterator
from typing import Any

import timm
from torch import Tensor, nn

from nephoscope.errors import UserError
from nephoscope.masks.rle import Shape
from nephoscope.models.network import Network, Statistics
from nephoscope.models.weights import LITE_STATISTICS, from_hub, load_weights

CENTRE = (0.5, 0.5, 0.5)


class Classifier(Network):
    kind = "classifier"

    def __init__(self, body: Any, statistics: Statistics) -> None:
        super().__init__(body, statistics)
        self.body = body

    def forward(self, images: Tensor) -> Tensor:
        """Raw RGB (N×3×H×W) → logits (N×C)."""
        logits: Tensor = self.body(self.normalise(images))
        return logits

    def head_modules(self) -> Iterator[nn.Module]:
        yield self.body.get_classifier()


def build_classifier(
    encoder: str, class_count: int, input_shape: Shape, *, dropout: float = 0.0, weights: str = "none"
) -> Classifier:
    """A timm model with a new head and initial weights (see `load_weights`)."""
    if not timm.is_model(encoder):
        close = timm.list_models(f"*{encoder.removeprefix('timm-')}*")[:5]
        hint = f"; similar names: {', '.join(close)}" if close else ""
        raise UserError(f"encoder: timm has no model {encoder!r}{hint}")
    config = timm.get_pretrained_cfg(encoder)
    # Transformers are built for one input shape; convolutional networks accept any.
    fixed: dict[str, Any] = {"img_size": tuple(input_shape)} if config is not None and config.fixed_input_size else {}
    with from_hub(encoder, wanted=weights == "hub"):
        body = timm.create_model(
            encoder, pretrained=weights == "hub", num_classes=class_count, drop_rate=dropout, **fixed
        )
    network = Classifier(body, _statistics(encoder, vars(config) if config is not None else {}))
    load_weights(network, encoder, weights)
    return network


def _statistics(encoder: str, config: dict[str, Any]) -> Statistics:
    """timm's mean and deviation, scaled from pixels of 0 to 1 to pixels of 0 to 255."""
    if "efficientnet_lite" in encoder:
        return LITE_STATISTICS
    red, green, blue = (255 * value for value in config.get("mean", CENTRE))
    deviations = [255 * value for value in config.get("std", CENTRE)]
    return (red, green, blue), (deviations[0], deviations[1], deviations[2])
