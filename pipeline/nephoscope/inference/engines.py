"""Engines: a network behind one call, images (N×H×W×3 uint8, RGB) → probabilities.

The PyTorch engine has its own file, because PyTorch takes seconds to load and the other engines do not need it.
"""

import importlib
import shutil
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from tempfile import mkdtemp
from threading import Lock
from types import ModuleType
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from nephoscope.errors import UserError
from nephoscope.hardware import count_cores
from nephoscope.masks.rle import Shape
from nephoscope.settings.section import Machine, Precision

Images = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]
"""N×C of a classifier, N×C×H×W of a segmenter"""
Outputs = tuple[Probabilities, ...]
"""One for each network of a graph"""
HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16"}
"""Our names of precisions → OpenVINO's."""
EngineName = Literal["torch", "onnx", "openvino"]


class EngineMissingError(UserError):
    """The package of the engine is not installed. The message says how to install it."""


class Engine(Protocol):
    @property
    def input_shape(self) -> Shape: ...
    @property
    def description(self) -> str:
        """Name and precision, such as "openvino bf16"."""

    def __call__(self, images: Images) -> Probabilities:
        """Images at the input shape → probabilities. Safe to call from several threads at once."""


class OnnxEngine:
    """An exported graph (N×3×H×W uint8 in, probabilities out) in ONNX Runtime, fp32.

    `checkpoints` hold its weights; none: the one beside it, of the same name.
    """

    description = "onnx fp32"

    def __init__(self, path: Path, streams: int = 1, checkpoints: Sequence[Path] = ()) -> None:
        runtime = _import_engine("onnxruntime")
        options = runtime.SessionOptions()
        if streams > 1:
            options.intra_op_num_threads = 1
        with _user_errors(path):
            graph = _resolve_links(path, checkpoints, self)
            self._session = runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
            self.input_shape = _input_shape(self._session.get_inputs()[0].shape)

    def __call__(self, images: Images) -> Probabilities:
        (probabilities,) = self.run(images)
        return probabilities

    def run(self, images: Images) -> Outputs:
        batch = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        outputs = self._session.run(None, {self._session.get_inputs()[0].name: batch})
        return tuple(np.asarray(output, np.float32) for output in outputs)


def _resolve_links(path: Path, checkpoints: Sequence[Path], engine: Engine) -> Path:
    """A graph and its weights → a path without links. Copies are removed together with the engine.

    Engines refuse weights outside of the graph's folder, which is where links into a DVC cache point.
    """
    files = (path, *(checkpoints or [path.with_suffix(".safetensors")]))
    if not any(file.is_symlink() for file in files):
        return path
    folder = Path(mkdtemp(prefix="nephoscope-"))
    weakref.finalize(engine, shutil.rmtree, folder, ignore_errors=True)
    for file in files:
        shutil.copyfile(file, folder / file.name)
    return folder / path.name


def _input_shape(shape: Sequence[object]) -> Shape:
    """N×3×H×W → (H, W); an error if a network takes something else."""
    match list(shape):
        case [_, 3, int(height), int(width)]:
            return height, width
    raise ValueError(f"it takes an input of {list(shape)}; expected images, N×3×H×W")


class OpenVinoEngine:
    """An exported graph in OpenVINO. Left alone, it would compute in 16 bits where the processor can.

    The graph is compiled for the size of its first batch, and again for each larger one. Smaller batches are padded.
    A fixed size is 5 to 10 % faster than a dynamic one. `checkpoints` hold its weights, as for `OnnxEngine`.
    """

    def __init__(self, path: Path, machine: Machine, streams: int = 1, checkpoints: Sequence[Path] = ()) -> None:
        self._openvino = _import_engine("openvino")
        self._core = _open_core(self._openvino)
        self._streams = streams
        with _user_errors(path):
            self._path = _resolve_links(path, checkpoints, self)
            shape = self._core.read_model(self._path).input(0).partial_shape
        self.input_shape: Shape = (shape[2].get_length(), shape[3].get_length())
        # Only the cores of this process: the machine may run other workers.
        threads = streams if streams > 1 else count_cores()
        self._settings: dict[str, object] = {
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": HINTS[machine.precision],
        }
        self.description = f"openvino {machine.precision}"
        if machine.precision == "bf16" and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise UserError("the engine openvino cannot compute in bf16 on this processor; choose another engine")
        self._requests: dict[int, SimpleQueue[Any]] = {}
        self._compiling = Lock()

    def __call__(self, images: Images) -> Probabilities:
        (probabilities,) = self.run(images)
        return probabilities

    def run(self, images: Images) -> Outputs:
        size = self._size_for(len(images))
        batch = np.ascontiguousarray(images)
        if size > len(batch):
            batch = np.concatenate([batch, np.zeros((size - len(batch), *batch.shape[1:]), np.uint8)])
        requests = self._requests[size]
        request = requests.get()
        try:
            request.infer({0: batch}, share_inputs=True, share_outputs=True)
            # Copied, because the next call writes its outputs to the same memory.
            return tuple(np.array(tensor.data[: len(images)], np.float32) for tensor in request.output_tensors)
        finally:
            requests.put(request)

    def _size_for(self, count: int) -> int:
        """The smallest compiled batch size that holds this many images."""
        with self._compiling:
            if not any(size >= count for size in self._requests):
                self._requests[count] = self._compile(count)
            return min(size for size in self._requests if size >= count)

    def _compile(self, size: int) -> SimpleQueue[Any]:
        """A queue of inference requests, one per stream."""
        # The network reads images as they lie in memory (N×H×W×3) and transposes them itself.
        steps = self._openvino.preprocess.PrePostProcessor(self._core.read_model(self._path))
        steps.input().tensor().set_layout(self._openvino.Layout("NHWC"))
        steps.input().model().set_layout(self._openvino.Layout("NCHW"))
        model = steps.build()
        model.reshape([size, *self.input_shape, 3])
        with _user_errors(self._path):
            compiled = self._core.compile_model(model, "CPU", self._settings)
        requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self._streams):
            requests.put(compiled.create_infer_request())
        return requests


@cache
def _open_core(openvino: ModuleType) -> Any:
    """One for the process: two would free each other's stack for signal handlers, and Ctrl-C would be a crash."""
    # Make the first tensor of the process here: two threads that make it at once would deadlock.
    openvino.Tensor(np.zeros(1, np.uint8), shared_memory=True)
    return openvino.Core()


def _import_engine(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if not isinstance(error, ModuleNotFoundError) or error.name != module:
            way_out = f"run `python -m pip install --force-reinstall {module}`, or choose another engine"
            raise UserError(f"the engine {module} cannot be loaded: {error}; {way_out}") from None
        message = (
            f"the engine {module} is not installed; run `python -m pip install {module}`, or choose another engine"
        )
        raise EngineMissingError(message) from None


@contextmanager
def _user_errors(path: Path) -> Iterator[None]:
    """Engines raise errors of many types when they cannot open or compile a network. Another engine may succeed."""
    try:
        yield
    except Exception as error:
        raise UserError(f"{path}: the engine cannot open this network: {error}; choose another engine") from error
