"""What a person may choose by name, apart from what does it: the command line must tell it at once, without torch."""

from pathlib import Path
from typing import Literal, get_args

from pipeline.mendable import Mendable

Choice = Literal["auto", "openvino", "onnx", "torch"]
"""The engine that computes."""
Output = Literal["submission", "masks", "overlays", "geojson", "coco"]
"""What `predict` writes, beside what it always does."""
OUTPUTS: tuple[Output, ...] = get_args(Output)
SHIPPED = Path(__file__).parent / "shipped"
"""The model that comes with the package, trained on real clouds: see its card."""


def parse_outputs(text: str) -> tuple[Output, ...]:
    """
    >>> parse_outputs("masks, geojson")
    ('masks', 'geojson')
    """
    wanted = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(wanted.difference(OUTPUTS))
    if unknown:
        raise Mendable(f"--write: {', '.join(unknown)} is unknown; choose any of {', '.join(OUTPUTS)}")
    return tuple(output for output in OUTPUTS if output in wanted)
