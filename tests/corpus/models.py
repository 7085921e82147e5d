"""Damage to the folder of a portable model: its description, rules, checkpoints and ONNX files."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from safetensors.numpy import save_file

from nephoscope.settings.choices import Choice

NETWORK = "classifier-seed0"
SWAPPED = "classifier 1 of 1 returns an array of"
READERS: dict[str, Choice] = {"safetensors": "torch", "onnx": "onnx"}
"""Ending of a file → the engine that reads it."""
Change = Callable[[Path], None]


@dataclass(frozen=True)
class ModelCase:
    """A change of a model folder, and a part of the message with which the model is refused."""

    name: str
    change: Change
    refusal: str = ""
    engines: tuple[Choice, ...] = ("onnx", "torch")
    """Those that read what was changed."""

    def make(self, sound: Path, folder: Path) -> Path:
        path = Path(shutil.copytree(sound, folder / self.name))
        self.change(path)
        _sign(path)
        return path


def _sign(folder: Path) -> None:
    """Write the checksums of what is there now, so that the damage reaches the parsers behind them."""
    try:
        content = json.loads((folder / "model.json").read_text("utf-8"))
        for name in content.get("sha256", {}):
            if (folder / name).is_file():
                content["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        (folder / "model.json").write_text(json.dumps(content), "utf-8")
    except (OSError, ValueError, AttributeError):  # the description itself is damaged
        return


def cases() -> list[ModelCase]:
    return [*descriptions(), *files("safetensors"), *files("onnx"), *checkpoints(), *graphs()]


def remove(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def replace(name: str, content: bytes) -> Change:
    return lambda folder: _write(folder / name, content)


def edit(name: str, change: Callable[[bytes], bytes]) -> Change:
    return lambda folder: _write(folder / name, change((folder / name).read_bytes()))


def describe(change: Callable[[dict[str, Any]], object]) -> Change:
    """A change of the content of model.json."""

    def apply(folder: Path) -> None:
        content = json.loads((folder / "model.json").read_text("utf-8"))
        change(content)
        (folder / "model.json").write_text(json.dumps(content), "utf-8")

    return apply


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def descriptions() -> list[ModelCase]:
    undescribed = "does not describe a model"
    data: dict[str, tuple[str, Any]] = {
        "unknown-format": ("format", "cirrus"),
        "no-class": ("classes", []),
        "other-classes": ("classes", ["a", "b", "c", "d"]),
        "shape-of-one": ("cache_shape", [64]),
        "shape-of-text": ("cache_shape", ["high", "wide"]),
        "shape-0": ("cache_shape", [0, 96]),
        "shape-negative": ("output_shape", [-350, 525]),
        "shape-huge": ("cache_shape", [10**9, 10**9]),
        "unknown-key": ("surprise", 1),
    }
    changed = [
        ModelCase(f"data-{name}", describe(lambda content, key=key, value=value: content["data"].update({key: value})))
        for name, (key, value) in data.items()
    ]
    return [
        ModelCase("no-description", remove("model.json"), "holds no portable model"),
        ModelCase("no-rules", remove("rules.json"), "rules.json is missing"),
        ModelCase("empty-description", replace("model.json", b""), undescribed),
        ModelCase("list-as-description", replace("model.json", b"[]"), undescribed),
        ModelCase("cut-description", edit("model.json", lambda content: content[:-20]), undescribed),
        ModelCase("latin-description", replace("model.json", b'{"data": "\xe4"}'), undescribed),
        ModelCase("cut-rules", edit("rules.json", lambda content: content[:-20]), "holds no rules"),
        ModelCase("no-networks", describe(lambda content: content.update(classifiers=[], segmenters=[]))),
        ModelCase("no-segmenter", describe(lambda content: content.update(segmenters=[]))),
        ModelCase("names-as-text", describe(lambda content: content.update(classifiers="abc"))),
        ModelCase("name-outside", describe(lambda content: content.update(classifiers=["../../classifier"]))),
        ModelCase(
            "no-reference",
            remove("reference_outputs.safetensors"),
            "reference_outputs.safetensors is missing",
            ("auto",),
        ),
        ModelCase(
            "cut-reference",
            edit("reference_outputs.safetensors", lambda content: content[:99]),
            "reference_outputs",
            ("auto",),
        ),
        *changed,
    ]


def files(ending: str) -> list[ModelCase]:
    """A file of a network that is missing, cut, or something else."""
    name = f"{NETWORK}.{ending}"
    changes: dict[str, Change] = {
        "no": remove(name),
        "empty": replace(name, b""),
        "text": replace(name, b"no network at all"),
        "half": edit(name, lambda content: content[: len(content) // 2]),
        "cut": edit(name, lambda content: content[:-1]),
        "zeros": edit(name, lambda content: bytes(len(content))),
        "header": edit(name, lambda content: b"\xff" * 8 + content[8:]),
        "pickle": replace(name, b"\x80\x02cos\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02R."),
    }
    engine = READERS[ending]
    return [ModelCase(f"{change}-{ending}", changes[change], NETWORK, (engine,)) for change in changes]


def checkpoints() -> list[ModelCase]:
    """Valid safetensors that are no checkpoint, or that of another network."""

    def other(folder: Path, header: dict[str, str] | None) -> None:
        save_file({"weight": np.zeros((2, 2), np.float32)}, folder / f"{NETWORK}.safetensors", header)

    changes: dict[str, Change] = {
        "of-others": lambda folder: other(folder, None),
        "swapped": lambda folder: _swap(folder, ".safetensors"),
    }
    for name, text in {"no-json": "{", "list": "[]", "keys-missing": "{}", "number": "7"}.items():
        changes[name] = lambda folder, text=text: other(folder, {"nephoscope": text})
    return [
        ModelCase(f"checkpoint-{name}", change, SWAPPED if name == "swapped" else NETWORK, ("torch",))
        for name, change in changes.items()
    ]


def _swap(folder: Path, ending: str) -> None:
    shutil.copy(folder / f"segmenter-seed0{ending}", folder / f"{NETWORK}{ending}")


def graphs() -> list[ModelCase]:
    """Valid ONNX of another network."""

    def write(folder: Path, shape: list[int | str], kind: int) -> None:
        names = ("images", "probabilities")
        given, returned = (helper.make_tensor_value_info(name, kind, shape) for name in names)
        graph = helper.make_graph([helper.make_node("Identity", [names[0]], [names[1]])], "other", [given], [returned])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        (folder / f"{NETWORK}.onnx").write_bytes(model.SerializeToString())

    changes: dict[str, Change] = {
        "identity": lambda folder: write(folder, ["n", 3, 64, 96], TensorProto.UINT8),
        "flat": lambda folder: write(folder, [2, 2], TensorProto.FLOAT),
        "text": lambda folder: write(folder, ["n"], TensorProto.STRING),
        "swapped": lambda folder: _swap(folder, ".onnx"),
    }
    return [
        ModelCase(f"graph-{name}", change, SWAPPED if name in ("identity", "swapped") else NETWORK, ("onnx",))
        for name, change in changes.items()
    ]
