"""Engines: one network behind one call, images (N×H×W×3 uint8, RGB) → probabilities, whatever computes them."""

import importlib
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from types import ModuleType
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from pipeline.masks.rle import Shape
from pipeline.mendable import Mendable
from pipeline.models.checkpoint import load_checkpoint
from pipeline.models.machine import count_cores, resolve_device, resolve_precision
from pipeline.params import Machine

Images = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]
"""N×C of a classifier, N×C×H×W of a segmenter"""
EngineName = Literal["torch", "onnx", "openvino"]


class EngineMissing(Mendable):
    """The engine's package is not installed; the message says how to get it."""


class Engine(Protocol):
    @property
    def input_shape(self) -> Shape: ...

    def __call__(self, images: Images) -> Probabilities:
        """Images at the input shape → probabilities. May be called from several threads at once."""


class TorchEngine:
    """A network as it was trained. Calls take turns: every one uses all cores, or the GPU."""

    def __init__(self, network: nn.Module, input_shape: Shape, machine: Machine) -> None:
        self.input_shape = input_shape
        self._device = resolve_device(machine.accelerator)
        self._half = resolve_precision(machine) == "bf16"
        self._network = network.eval().to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._turn = Lock()

    @classmethod
    def open(cls, checkpoint: Path, machine: Machine) -> "TorchEngine":
        network, facts = load_checkpoint(checkpoint)
        return cls(network, facts.input_shape, machine)

    @torch.inference_mode()
    def __call__(self, images: Images) -> Probabilities:
        # The view N×3×H×W of N×H×W×3 is what torch calls channels last: no copy.
        batch = torch.from_numpy(np.ascontiguousarray(images)).to(self._device).permute(0, 3, 1, 2)
        with self._turn, torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
            logits = self._network(batch)
        return np.asarray(logits.float().sigmoid().cpu().numpy(), np.float32)


class OnnxEngine:
    """An exported network (N×3×H×W uint8 in, probabilities out) in ONNX Runtime, fp32."""

    def __init__(self, path: Path, streams: int = 1) -> None:
        runtime = _require("onnxruntime")
        options = runtime.SessionOptions()
        if streams > 1:
            options.intra_op_num_threads = max(1, count_cores() // streams)
        self._session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        height, width = self._session.get_inputs()[0].shape[2:]
        self.input_shape: Shape = (height, width)

    def __call__(self, images: Images) -> Probabilities:
        batch = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        (probabilities,) = self._session.run(None, {self._session.get_inputs()[0].name: batch})
        return np.asarray(probabilities, np.float32)


class OpenVinoEngine:
    """An exported network in OpenVINO; "auto" precision is bf16 where the processor computes in it."""

    def __init__(self, path: Path, machine: Machine, streams: int = 1) -> None:
        openvino = _require("openvino")
        core = openvino.Core()
        model = core.read_model(path)
        height, width = (dimension.get_length() for dimension in list(model.input(0).partial_shape)[2:])
        self.input_shape: Shape = (height, width)
        # The network takes pictures as they lie in memory, and turns them itself.
        steps = openvino.preprocess.PrePostProcessor(model)
        steps.input().tensor().set_layout(openvino.Layout("NHWC"))
        steps.input().model().set_layout(openvino.Layout("NCHW"))
        settings: dict[str, object] = {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": count_cores()}
        if machine.precision != "auto":
            settings["INFERENCE_PRECISION_HINT"] = {"fp32": "f32", "bf16": "bf16"}[machine.precision]
        self._compiled = core.compile_model(steps.build(), "CPU", settings)
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(streams):
            self._requests.put(self._compiled.create_infer_request())

    def __call__(self, images: Images) -> Probabilities:
        request = self._requests.get()
        try:
            results = request.infer({0: np.ascontiguousarray(images)})
            # A copy: the next call writes its results to the same place.
            return np.array(results[self._compiled.output(0)], np.float32)
        finally:
            self._requests.put(request)


def _open_torch(stem: Path, machine: Machine, _: int) -> Engine:
    return TorchEngine.open(stem.with_suffix(".safetensors"), machine)


def _open_onnx(stem: Path, _: Machine, streams: int) -> Engine:
    return OnnxEngine(stem.with_suffix(".onnx"), streams)


def _open_openvino(stem: Path, machine: Machine, streams: int) -> Engine:
    return OpenVinoEngine(stem.with_suffix(".onnx"), machine, streams)


ENGINES: dict[EngineName, Callable[[Path, Machine, int], Engine]] = {
    "openvino": _open_openvino,
    "onnx": _open_onnx,
    "torch": _open_torch,
}
"""Path of an exported member without its ending, the machine, and streams (calls that are computed side by side, each
by its share of the cores) → its engine; the usually fastest first."""


def _require(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        message = f"the engine {module} is not installed; `python -m pip install {module}`, or choose another engine"
        raise EngineMissing(message) from None
