"""What a person may choose by name, apart from what does it: the command line must tell it at once, without torch."""

from typing import Literal, get_args

from nephoscope.errors import UserError

Choice = Literal["auto", "openvino", "onnx", "torch"]
"""The engine that computes."""
Output = Literal["submission", "masks", "overlays", "geojson", "coco"]
"""What `predict` writes, beside what it always does."""
OUTPUTS: tuple[Output, ...] = get_args(Output)


def parse_outputs(text: str) -> tuple[Output, ...]:
    """
    >>> parse_outputs("masks, geojson")
    ('masks', 'geojson')
    """
    wanted = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(wanted.difference(OUTPUTS))
    if unknown:
        raise UserError(f"--write: {', '.join(unknown)} is unknown; choose any of {', '.join(OUTPUTS)}")
    return tuple(output for output in OUTPUTS if output in wanted)
