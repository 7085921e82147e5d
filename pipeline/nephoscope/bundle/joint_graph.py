"""The joint ONNX graph: a classifier and a segmenter with the same encoder, which is computed once.

Both exported graphs are merged, and nodes that compute the same become one. So this works for any architecture.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx_ir as ir
import torch
from onnx_ir.passes.common import (
    CommonSubexpressionEliminationPass,
    DeduplicateInitializersPass,
    RemoveUnusedNodesPass,
)
from torch import nn

from nephoscope.bundle.onnx_graph import describe_network
from nephoscope.models.checkpoint import load_checkpoint
from nephoscope.models.metadata import load_metadata

OUTPUTS = ("presence", "maps")
"""Of the classifier and of the segmenter."""
ANY_SIZE = 2**62


def write_joint(path: Path, checkpoints: Sequence[Path], properties: Mapping[str, str] | None = None) -> bool:
    """Write the joint graph of exported networks (`write_onnx`) beside them. Input: `images`; outputs: see OUTPUTS.

    False, and no file, unless they are a classifier and a segmenter with one input shape and the same encoder.
    """
    metadata = [load_metadata(checkpoint) for checkpoint in checkpoints]
    if [network.kind for network in metadata] != ["classifier", "segmenter"]:
        return False
    classifier, segmenter = (load_checkpoint(checkpoint)[0] for checkpoint in checkpoints)
    if metadata[0].input_shape != metadata[1].input_shape or not _have_same_encoder(classifier, segmenter):
        return False
    graphs = [ir.load(checkpoint.with_suffix(".onnx")) for checkpoint in checkpoints]
    separate = sum(_count_convolutions(model.graph) for model in graphs)
    model = _merge(*graphs)
    if separate - _count_convolutions(model.graph) < _count_layers(segmenter):
        return False  # The encoders read different inputs: the segmenter may pad or normalise images in another way.
    model.metadata_props.update({**_describe(*map(describe_network, metadata)), **(properties or {})})
    ir.save(model, path)
    return True


def _count_convolutions(graph: ir.Graph) -> int:
    return sum(node.op_type == "Conv" for node in graph)


def _count_layers(network: Any) -> int:
    """Convolutions of its encoder."""
    return sum(isinstance(module, nn.Conv2d) for module in network.encoder.modules())


def _have_same_encoder(classifier: Any, segmenter: Any) -> bool:
    """Whether the classifier has every tensor of the segmenter's encoder. It has some more: its head."""
    whole, part = (network.encoder.state_dict() for network in (classifier, segmenter))
    return bool(part) and all(key in whole and torch.equal(value, whole[key]) for key, value in part.items())


def _describe(classifier: Mapping[str, str], segmenter: Mapping[str, str]) -> dict[str, str]:
    """Properties of both networks → those of the joint graph."""
    name = ", ".join(properties["nephoscope_network"] for properties in (classifier, segmenter))
    return {**segmenter, "nephoscope_network": name, "output": ", ".join(OUTPUTS)}


def _merge(classifier: ir.Model, segmenter: ir.Model) -> ir.Model:
    """Both graphs in one, with one input. What they compute in the same way from the same weights is computed once."""
    for name, model in (("classifier", classifier), ("segmenter", segmenter)):
        _prefix_names(model.graph, name)
    graph, other = classifier.graph, segmenter.graph
    ir.convenience.replace_all_uses_with(other.inputs[0], graph.inputs[0])
    for weight in list(other.initializers.values()):
        del other.initializers[weight.name or ""]
        graph.register_initializer(weight)
    nodes, outputs = list(other), list(other.outputs)
    other.outputs.clear()
    other.remove(nodes)
    graph.extend(nodes)
    graph.outputs.extend(outputs)
    graph.inputs[0].name = "images"
    for value, name in zip(graph.outputs, OUTPUTS, strict=True):
        value.name = name
    for simplify in (DeduplicateInitializersPass(ANY_SIZE), CommonSubexpressionEliminationPass()):
        simplify(classifier)
    RemoveUnusedNodesPass()(classifier)
    return classifier


def _prefix_names(graph: ir.Graph, prefix: str) -> None:
    """The names of two graphs must differ when they become one."""
    for value in [*graph.initializers.values(), *(output for node in graph for output in node.outputs)]:
        value.name = f"{prefix}.{value.name}"
    for node in graph:
        node.name = f"{prefix}.{node.name}"
