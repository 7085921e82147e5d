"""Names that the command line offers as choices. Without PyTorch, so that `--help` is quick."""

from typing import Literal, get_args

from nephoscope.errors import UserError

Choice = Literal["auto", "openvino", "onnx", "torch"]
"""Inference engine."""
Output = Literal["submission", "masks", "overlays", "geojson", "coco", "netcdf", "zarr", "geotiff"]
"""What `predict` writes besides the tables."""
Convention = Literal["nephoscope", "c3ontext"]
"""How maps are written."""
OUTPUTS: tuple[Output, ...] = get_args(Output)


def parse_outputs(text: str) -> tuple[Output, ...]:
    """A list separated by commas → outputs.

    >>> parse_outputs("masks, geojson")
    ('masks', 'geojson')
    """
    wanted = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(wanted.difference(OUTPUTS))
    if unknown:
        raise UserError(f"--write: {', '.join(unknown)} is unknown; choose any of {', '.join(OUTPUTS)}")
    return tuple(output for output in OUTPUTS if output in wanted)
