"""A plate of steel with a black strip, and a model folder for steel with random weights."""

from pathlib import Path

import cv2
import numpy as np
import torch

from nephoscope.bundle.export import export_model
from nephoscope.data.formats import FORMATS
from nephoscope.data.manifest import Metadata
from nephoscope.models.checkpoint import build_network, save_checkpoint
from nephoscope.rules.rules import Calibration, InferenceSettings, Rule, Rules
from tests.builders.network_metadata import metadata

STEEL = FORMATS["severstal"]
STRIP = slice(1200, None)
"""Columns of the plate beyond its end; they are black."""
CACHE_SHAPE = (32, 192)


def write_plate(path: Path) -> Path:
    """A JPEG of 256×1600."""
    plate = np.random.default_rng(0).integers(90, 130, (*STEEL.output_shape, 3), np.uint8)
    plate[:, STRIP] = 0
    cv2.imwrite(str(path), plate)
    return path


def write_steel_model(folder: Path) -> Path:
    """Its rules accept every class and every pixel whose level is at least 1."""
    data = Metadata(STEEL.name, STEEL.classes, STEEL.rle_shape, STEEL.output_shape, CACHE_SHAPE, nodata=STEEL.nodata)
    torch.manual_seed(0)
    checkpoints = {"classifier": "mobilenetv3_small_050", "segmenter": "resnet18"}
    for kind, encoder in checkpoints.items():
        header = metadata(kind=kind, encoder=encoder, input_shape=CACHE_SHAPE, data=data, settings={})
        save_checkpoint(folder / f"{kind}.safetensors", build_network(header), header)
    export_model(
        folder / "model", [folder / "classifier.safetensors"], [folder / "segmenter.safetensors"], lenient_rules()
    )
    return folder / "model"


def lenient_rules() -> Rules:
    plain = (Calibration(),) * len(STEEL.classes)
    return Rules(
        classes=STEEL.classes,
        output_shape=STEEL.output_shape,
        inference_settings=InferenceSettings(),
        classifier_weight=0.5,
        classifier_calibrations=plain,
        top_fraction_calibrations=plain,
        rules=(Rule(presence_threshold=0, pixel_threshold=1, min_area=0),) * len(STEEL.classes),
    )
