"""A small student: a classifier and a segmenter with the same encoder, and its model folder."""

from pathlib import Path
from typing import Any

import torch

from nephoscope.bundle.export import export_model
from nephoscope.data.manifest import Metadata
from nephoscope.inference.engine_choice import draw_probe
from nephoscope.models.checkpoint import build_network, save_checkpoint
from nephoscope.models.metadata import NetworkMetadata
from tests.builders.example_rules import rules
from tests.builders.network_metadata import metadata

ENCODER = "tf_efficientnet_lite0"
SHAPE = (64, 96)
DATA = Metadata("clouds", ("Fish", "Flower", "Gravel", "Sugar"), (1400, 2100), (350, 525), SHAPE)


def student_metadata() -> tuple[NetworkMetadata, NetworkMetadata]:
    """Of the classifier and of the segmenter."""
    shared = {"input_shape": SHAPE, "data": DATA}
    segmenter = {"architecture": "FPN", "encoder": f"tu-{ENCODER}", "settings": {"decoder_width": 0.25}}
    return (
        metadata(kind="classifier", architecture=ENCODER, encoder=ENCODER, settings={}, **shared),
        metadata(**segmenter, **shared),
    )


def write_student(folder: Path) -> tuple[Path, Path]:
    """Checkpoints of the classifier and of the segmenter. Their outputs differ clearly between pixels."""
    torch.manual_seed(0)
    headers = student_metadata()
    classifier, segmenter = (build_network(header).eval() for header in headers)
    state = classifier.encoder.state_dict()
    segmenter.encoder.load_state_dict({key: state[key] for key in segmenter.encoder.state_dict()})
    spread_logits(classifier, classifier.body.classifier)
    spread_logits(segmenter, segmenter.body.segmentation_head[0])
    paths = folder / "classifier.safetensors", folder / "segmenter.safetensors"
    for path, network, header in zip(paths, (classifier, segmenter), headers, strict=True):
        save_checkpoint(path, network, header)
    return paths


@torch.no_grad()
def spread_logits(network: Any, head: Any) -> None:
    """Scale the last layer, so that most probabilities are neither 0 nor 1."""
    logits = network(torch.from_numpy(draw_probe(SHAPE).transpose(0, 3, 1, 2).copy()))
    head.weight /= logits.std()
    head.bias -= logits.mean() / logits.std()


def export_student(folder: Path) -> Path:
    """Its model folder, in 16 bits, with two views."""
    classifier, segmenter = write_student(folder)
    inference_settings = {"flips": ("none", "horizontal")}
    student_rules = rules(
        4, classes=DATA.classes, output_shape=DATA.output_shape, inference_settings=inference_settings
    )
    export_model(folder / "model", [classifier], [segmenter], student_rules, half=True)
    return folder / "model"
