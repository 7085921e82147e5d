"""Engines: one network behind one call, images (N×H×W×3 uint8, RGB) → probabilities, whatever computes them.

The one that computes in torch has a file of its own: torch takes seconds to load, and the others do without.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from types import ModuleType
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from nephoscope.errors import UserError
from nephoscope.hardware import count_cores
from nephoscope.masks.rle import Shape
from nephoscope.settings.section import Machine

Images = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]
"""N×C of a classifier, N×C×H×W of a segmenter"""
EngineName = Literal["torch", "onnx", "openvino"]


class EngineMissingError(UserError):
    """The engine's package is not installed; the message says how to get it."""


class Engine(Protocol):
    @property
    def input_shape(self) -> Shape: ...

    def __call__(self, images: Images) -> Probabilities:
        """Images at the input shape → probabilities. May be called from several threads at once."""


class OnnxEngine:
    """An exported network (N×3×H×W uint8 in, probabilities out) in ONNX Runtime, fp32."""

    def __init__(self, path: Path, streams: int = 1) -> None:
        runtime = _require("onnxruntime")
        options = runtime.SessionOptions()
        if streams > 1:
            options.intra_op_num_threads = 1
        with _telling_failures(path):
            self._session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        height, width = self._session.get_inputs()[0].shape[2:]
        self.input_shape: Shape = (height, width)

    def __call__(self, images: Images) -> Probabilities:
        batch = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        (probabilities,) = self._session.run(None, {self._session.get_inputs()[0].name: batch})
        return np.asarray(probabilities, np.float32)


class OpenVinoEngine:
    """An exported network in OpenVINO; "auto" precision is bf16 where the processor computes in it.

    It is compiled for the batch it is first given, and again when a larger one comes; smaller ones are filled up. That
    is 5 to 10 % faster than compiling it once for any batch.
    """

    def __init__(self, path: Path, machine: Machine, streams: int = 1) -> None:
        self._openvino = _require("openvino")
        # The first array of a process: where two threads bring it at once, they wait for each other forever.
        self._openvino.Tensor(np.zeros(1, np.uint8), shared_memory=True)
        self._core = self._openvino.Core()
        self._path, self._streams = path, streams
        with _telling_failures(path):
            shape = self._core.read_model(path).input(0).partial_shape
        self.input_shape: Shape = (shape[2].get_length(), shape[3].get_length())
        # Not all cores of the machine, which may have other workers.
        threads = streams if streams > 1 else count_cores()
        self._settings: dict[str, object] = {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": threads}
        if machine.precision != "auto":
            self._settings["INFERENCE_PRECISION_HINT"] = {"fp32": "f32", "bf16": "bf16"}[machine.precision]
        self._requests: dict[int, SimpleQueue[Any]] = {}
        self._compiling = Lock()

    def __call__(self, images: Images) -> Probabilities:
        size = self._size_for(len(images))
        batch = np.ascontiguousarray(images)
        if size > len(batch):
            batch = np.concatenate([batch, np.zeros((size - len(batch), *batch.shape[1:]), np.uint8)])
        requests = self._requests[size]
        request = requests.get()
        try:
            request.infer({0: batch}, share_inputs=True, share_outputs=True)
            # A copy: the next call writes its results to the same place.
            return np.array(request.get_output_tensor(0).data[: len(images)], np.float32)
        finally:
            requests.put(request)

    def _size_for(self, count: int) -> int:
        with self._compiling:
            if not any(size >= count for size in self._requests):
                self._requests[count] = self._compile(count)
            return min(size for size in self._requests if size >= count)

    def _compile(self, size: int) -> SimpleQueue[Any]:
        """As many requests as there are streams."""
        # The network takes pictures as they lie in memory, and turns them itself.
        steps = self._openvino.preprocess.PrePostProcessor(self._core.read_model(self._path))
        steps.input().tensor().set_layout(self._openvino.Layout("NHWC"))
        steps.input().model().set_layout(self._openvino.Layout("NCHW"))
        model = steps.build()
        model.reshape([size, *self.input_shape, 3])
        with _telling_failures(self._path):
            compiled = self._core.compile_model(model, "CPU", self._settings)
        requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self._streams):
            requests.put(compiled.create_infer_request())
        return requests


def _require(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if not isinstance(error, ModuleNotFoundError) or error.name != module:
            way_out = f"`python -m pip install --force-reinstall {module}`, or choose another engine"
            raise UserError(f"the engine {module} cannot be loaded: {error}; {way_out}") from None
        message = f"the engine {module} is not installed; `python -m pip install {module}`, or choose another engine"
        raise EngineMissingError(message) from None


@contextmanager
def _telling_failures(path: Path) -> Iterator[None]:
    """A library may raise anything over a network that it cannot open or compile; another engine may be able to."""
    try:
        yield
    except Exception as error:
        raise UserError(f"{path}: the engine fails over it: {error}; choose another engine") from error
