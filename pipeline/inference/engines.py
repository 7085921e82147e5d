"""Engines: one network behind one call, images (N×H×W×3 uint8, RGB) → probabilities, whatever computes them."""

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import nn

from pipeline.masks.rle import Shape
from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.machine import resolve_device, resolve_precision
from pipeline.params import Machine

Images = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]
"""N×C of a classifier, N×C×H×W of a segmenter"""


class Engine(Protocol):
    @property
    def input_shape(self) -> Shape: ...

    def __call__(self, images: Images) -> Probabilities:
        """Images at the input shape → probabilities."""


class TorchEngine:
    def __init__(self, network: nn.Module, input_shape: Shape, machine: Machine) -> None:
        self.input_shape = input_shape
        self._device = resolve_device(machine.accelerator)
        self._half = resolve_precision(machine) == "bf16"
        self._network = network.eval().to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def open(cls, checkpoint: Path, machine: Machine) -> "TorchEngine":
        network, facts = load_checkpoint(checkpoint)
        return cls(network, facts.input_shape, machine)

    @torch.inference_mode()
    def __call__(self, images: Images) -> Probabilities:
        # The view N×3×H×W of N×H×W×3 is what torch calls channels last: no copy.
        batch = torch.from_numpy(np.ascontiguousarray(images)).to(self._device).permute(0, 3, 1, 2)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
            logits = self._network(batch)
        return np.asarray(logits.float().sigmoid().cpu().numpy(), np.float32)


class OnnxEngine:
    """An exported network: N×3×H×W uint8 in, probabilities out."""

    def __init__(self, path: Path) -> None:
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        height, width = self._session.get_inputs()[0].shape[2:]
        self.input_shape: Shape = (height, width)

    def __call__(self, images: Images) -> Probabilities:
        batch = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        (probabilities,) = self._session.run(None, {self._session.get_inputs()[0].name: batch})
        return np.asarray(probabilities, np.float32)
