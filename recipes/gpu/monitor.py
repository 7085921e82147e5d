"""The clock, the log, and how busy the GPU is."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

START = time.monotonic()


def clock() -> float:
    """Seconds since the start of the program."""
    return time.monotonic() - START


def log(text: str) -> None:
    print(f"[{clock():6.1f} s] {text}", flush=True)


def synchronise(cuda: bool) -> None:
    if cuda:
        torch.cuda.synchronize()


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, default=str))


@contextmanager
def gpu_usage(cuda: bool) -> Iterator[dict[str, Any]]:
    """Read the GPU's utilisation (percent) and power (watts) twice a second; the dict is filled on exit."""
    usage: dict[str, Any] = {}
    stop = threading.Event()
    busy: list[int] = []
    watts: list[float] = []

    def watch() -> None:
        try:
            import pynvml

            pynvml.nvmlInit()
            handle = pynvml.nvmlDeviceGetHandleByIndex(0)
            while not stop.wait(0.5):
                busy.append(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
                watts.append(pynvml.nvmlDeviceGetPowerUsage(handle) / 1000)
        except Exception as error:  # a measurement must not end a training
            usage["error"] = repr(error)

    thread = threading.Thread(target=watch, daemon=True)
    if cuda:
        thread.start()
    yield usage
    stop.set()
    if cuda:
        thread.join(2)
    if busy:
        usage |= {"busy": round(float(np.mean(busy)), 1), "watts": round(float(np.mean(watts))), "readings": busy}
