"""Export of a network to ONNX: the graph only. Its weights are references into the checkpoint beside it.

Weights are therefore stored once for all engines, and 16-bit weights halve the size for each of them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from onnxscript import optimizer
from torch import Tensor, nn

from nephoscope.masks.rle import Shape
from nephoscope.models.checkpoint import load_checkpoint
from nephoscope.models.folding import fold_decoder
from nephoscope.models.metadata import NetworkMetadata

OPSET = 18
TYPES = {"F32": ir.DataType.FLOAT, "F16": ir.DataType.FLOAT16}
"""Data types by their names in a safetensors header. Weights of other types are copied into the graph."""


def write_onnx(checkpoint: Path, properties: Mapping[str, str] | None = None) -> None:
    """Write <name>.onnx beside <name>.safetensors. Input: uint8 images (N×3×H×W, RGB); output: probabilities.

    `properties` are added to those that say which network it is (`metadata_props`).
    """
    network, metadata = load_checkpoint(checkpoint)
    model = _trace(network, metadata.input_shape)
    places = _locate(checkpoint)
    for weight in list(model.graph.initializers.values()):
        # A folded decoder has other weights than the checkpoint; they are copied into the graph.
        place = places.get((weight.name or "").removeprefix("network."))
        if place and _holds(place, weight):
            _link(model.graph, weight, place)
    model.metadata_props.update({**describe_network(metadata), **(properties or {})})
    ir.save(model, checkpoint.with_suffix(".onnx"))


def describe_network(metadata: NetworkMetadata) -> dict[str, str]:
    """What the header of a checkpoint says of a network, as flat text."""
    height, width = metadata.input_shape
    return {
        "nephoscope_network": f"{metadata.kind}-{metadata.member}",
        "architecture": metadata.architecture,
        "encoder": metadata.encoder,
        "input": f"N×3×{height}×{width}, uint8, RGB",
        "output": "probabilities",
        "classes": ", ".join(metadata.data.classes),
        "data_format": metadata.data.format,
    }


class _WithProbabilities(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return torch.sigmoid(self.network(images))


def _trace(network: nn.Module, shape: Shape) -> ir.Model:
    for module in network.modules():
        # In-place modules are traced correctly, but it takes twice as long.
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    # Two images: the exporter would treat a batch of one as a constant.
    example = torch.zeros(2, 3, *shape, dtype=torch.uint8)
    program = torch.onnx.export(
        _WithProbabilities(fold_decoder(network)).eval(),
        (example,),
        dynamo=True,
        opset_version=OPSET,
        input_names=["images"],
        output_names=["probabilities"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        # The optimizer would fold norms into convolutions, whose weights would then differ from the checkpoint.
        # Engines fold them when they open the file.
        optimize=False,
        verbose=False,
    )
    assert program is not None  # with dynamo=True it always is
    model = program.model
    optimizer.inline(model)
    optimizer.fold_constants(model)
    optimizer.remove_unused_nodes(model)
    # The metadata of nodes holds paths of this machine: they are private, and make the file differ between machines.
    ClearMetadataAndDocStringPass()(model)
    for value in (*model.graph.initializers.values(), *(output for node in model.graph for output in node.outputs)):
        value.metadata_props.clear()
    return model


@dataclass(frozen=True)
class _Place:
    """The position of a tensor in a file."""

    file: Path
    offset: int
    length: int
    shape: tuple[int, ...]
    dtype: ir.DataType

    def tensor(self, name: str) -> ir.ExternalTensor:
        folder, shape = self.file.parent, ir.Shape(self.shape)
        return ir.ExternalTensor(
            self.file.name, self.offset, self.length, self.dtype, shape=shape, name=name, base_dir=folder
        )


def _locate(checkpoint: Path) -> dict[str, _Place]:
    """Name → place of every tensor in a safetensors file: eight bytes of length, a JSON header, then the tensors."""
    with checkpoint.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    places = {}
    for name, entry in header.items():
        if entry.get("dtype") in TYPES:
            begin, end = entry["data_offsets"]
            place = _Place(checkpoint, 8 + length + begin, end - begin, tuple(entry["shape"]), TYPES[entry["dtype"]])
            places[name] = place
    return places


def _holds(place: _Place, weight: ir.Value) -> bool:
    assert weight.const_value is not None  # it is an initializer
    return np.array_equal(place.tensor("").numpy(), weight.const_value.numpy())


def _link(graph: ir.Graph, weight: ir.Value, place: _Place) -> None:
    """Replace a weight of the graph by a reference to its place. A 16-bit weight is cast to 32 bits when it is read."""
    assert weight.name
    assert weight.const_value is not None
    if place.dtype == weight.const_value.dtype:
        weight.const_value = place.tensor(weight.name)
        return
    name = f"{weight.name}.stored"
    stored = ir.Value(
        name=name, shape=ir.Shape(place.shape), type=ir.TensorType(place.dtype), const_value=place.tensor(name)
    )
    cast = ir.node("Cast", [stored], attributes={"to": int(weight.const_value.dtype)})
    cast.outputs[0].name = f"{weight.name}.computed"
    ir.convenience.replace_all_uses_with(weight, cast.outputs[0])
    graph.insert_before(graph[0], cast)
    del graph.initializers[weight.name]
    graph.register_initializer(stored)
