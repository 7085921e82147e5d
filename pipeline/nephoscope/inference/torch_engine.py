"""The PyTorch engine: the one that every other engine must match."""

from pathlib import Path
from threading import Lock

import numpy as np
import torch
from torch import nn

from nephoscope.inference.engines import Images, Probabilities
from nephoscope.masks.rle import Shape
from nephoscope.models.checkpoint import load_checkpoint
from nephoscope.models.devices import compute_exactly, resolve_device
from nephoscope.settings.section import Machine


class TorchEngine:
    """A trained network in PyTorch. Calls run one after another, because each uses all cores or the GPU."""

    def __init__(self, network: nn.Module, input_shape: Shape, machine: Machine) -> None:
        self.input_shape = input_shape
        compute_exactly()
        self._device = resolve_device(machine.accelerator)
        self.description, self._half = f"torch {machine.precision}", machine.precision == "bf16"
        self._network = network.eval().to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._lock = Lock()

    @classmethod
    def open(cls, checkpoint: Path, machine: Machine) -> "TorchEngine":
        network, metadata = load_checkpoint(checkpoint)
        return cls(network, metadata.input_shape, machine)

    @torch.inference_mode()
    def __call__(self, images: Images) -> Probabilities:
        # The N×3×H×W view of N×H×W×3 memory is the channels-last layout, so nothing is copied.
        batch = torch.from_numpy(np.ascontiguousarray(images)).to(self._device).permute(0, 3, 1, 2)
        with self._lock, torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
            logits = self._network(batch)
        return np.asarray(logits.float().sigmoid().cpu().numpy(), np.float32)
