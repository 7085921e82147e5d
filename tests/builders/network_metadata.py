"""Metadata of a small network and of its data."""

from nephoscope.data.manifest import Metadata
from nephoscope.models.metadata import NetworkMetadata

METADATA = Metadata("clouds", ("a", "b"), (8, 12), (8, 12), (32, 48))


def metadata(**changes: object) -> NetworkMetadata:
    content = {
        "kind": "segmenter",
        "architecture": "Unet",
        "encoder": "resnet18",
        "input_shape": (32, 48),
        "data": METADATA,
        "member": "seed0",
        "seed": 0,
        "fold": -1,
        "epoch": 3,
        "score": 0.5,
        "settings": {"epochs": 4},
    }
    return NetworkMetadata(**{**content, **changes})  # type: ignore[arg-type]
