"""A network as ONNX beside its checkpoint: the graph alone. Weights stay where they are, told by file and place.

So they are kept once: what reads ONNX reads what torch reads, and 16 bits are half the size for every engine.
"""

import json
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

OPSET = 18
TYPES = {"F32": ir.DataType.FLOAT, "F16": ir.DataType.FLOAT16}
"""As a safetensors header calls them; what is of another type is copied into the graph."""


def write_onnx(checkpoint: Path) -> None:
    """Beside the checkpoint, by the same name: uint8 pictures (N×3×H×W, RGB) in, probabilities out."""
    network, metadata = load_checkpoint(checkpoint)
    model = _trace(network, metadata.input_shape)
    stored = _locate(checkpoint)
    for weight in list(model.graph.initializers.values()):
        # A decoder that was folded has weights of its own; they are copied.
        place = stored.get((weight.name or "").removeprefix("network."))
        if place and _holds(place, weight):
            _link(model.graph, weight, place)
    ir.save(model, checkpoint.with_suffix(".onnx"))


class _WithProbabilities(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return torch.sigmoid(self.network(images))


def _trace(network: nn.Module, shape: Shape) -> ir.Model:
    for module in network.modules():
        # What writes in place is traced all the same, by a way that takes twice as long.
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    # Two pictures: a batch of one would be taken for a constant.
    example = torch.zeros(2, 3, *shape, dtype=torch.uint8)
    program = torch.onnx.export(
        _WithProbabilities(fold_decoder(network)).eval(),
        (example,),
        dynamo=True,
        opset_version=OPSET,
        input_names=["images"],
        output_names=["probabilities"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        # Norms would be multiplied into convolutions, whose weights were then no longer the checkpoint's. Engines do
        # that by themselves when they open the file.
        optimize=False,
        verbose=False,
    )
    assert program is not None  # with dynamo=True it always is
    model = program.model
    optimizer.inline(model)
    optimizer.fold_constants(model)
    optimizer.remove_unused_nodes(model)
    # Where in this machine's folders every step comes from is nobody's business, and would differ from one to the next.
    ClearMetadataAndDocStringPass()(model)
    for value in (*model.graph.initializers.values(), *(output for node in model.graph for output in node.outputs)):
        value.metadata_props.clear()
    return model


@dataclass(frozen=True)
class _Place:
    """Where in a file a tensor lies."""

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
    """Every tensor of a safetensors file: eight bytes of length, a header as JSON, then the tensors."""
    with checkpoint.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    found = {}
    for name, entry in header.items():
        if entry.get("dtype") in TYPES:
            begin, end = entry["data_offsets"]
            place = _Place(checkpoint, 8 + length + begin, end - begin, tuple(entry["shape"]), TYPES[entry["dtype"]])
            found[name] = place
    return found


def _holds(place: _Place, weight: ir.Value) -> bool:
    assert weight.const_value is not None  # it is an initializer
    return np.array_equal(place.tensor("").numpy(), weight.const_value.numpy())


def _link(graph: ir.Graph, weight: ir.Value, place: _Place) -> None:
    """The graph's weight is read from its place, and where that has 16 bits made 32 of."""
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
