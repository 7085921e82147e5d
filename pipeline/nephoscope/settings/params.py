"""The whole of `params.yaml`, typed: `Params.load()` reads and checks it, and every stage takes its own section."""

from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Self, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from nephoscope.settings.data import Prepare, Synthesize
from nephoscope.settings.inference import Explain, Export, Predict, Submit
from nephoscope.settings.report import Report
from nephoscope.settings.section import ParamsError, Section
from nephoscope.settings.training import TrainClassifier, TrainSegmenter
from nephoscope.settings.tuning import Evaluate, Tune
from nephoscope.settings.yaml_file import YamlError, read_yaml

RENAMED = {
    "prepare.faults": "problems",
    "train_segmenter.finish": "finetune",
    "train_classifier.finish": "finetune",
    "predict.strongest_share": "top_fraction",
    "tune.follow_strongest": "adaptive_power",
    "tune.force_strongest": "force_top_class",
    "tune.borrow": "shrinkage",
    "tune.goal": "objective",
}
"""Keys of earlier versions → the keys of today, in the same section."""
REMOVED = {
    "tune.seed_thresholds", "tune.core_thresholds", "tune.core_areas",
    "submit.machine.precision", "explain.machine.precision",
}  # fmt: skip
"""Keys of earlier versions without a successor."""


class Params(Section):
    """The whole of `params.yaml`. A section that is left out has its defaults."""

    synthesize: Synthesize = Synthesize()
    prepare: Prepare = Prepare()
    train_segmenter: TrainSegmenter = TrainSegmenter()
    train_classifier: TrainClassifier = TrainClassifier()
    predict: Predict = Predict()
    tune: Tune = Tune()
    evaluate: Evaluate = Evaluate()
    explain: Explain = Explain()
    submit: Submit = Submit()
    export: Export = Export()
    report: Report = Report()

    @classmethod
    def load(cls, path: Path | str = "params.yaml") -> Self:
        """Read and check a parameter file. An unknown key is refused, and the message lists the keys of its section."""
        try:
            content = read_yaml(Path(path))
            return cls.model_validate({} if content is None else content)
        except FileNotFoundError:
            raise ParamsError(f"{path}: no such file; run from the folder that holds params.yaml") from None
        except OSError as error:
            raise ParamsError(f"{path}: cannot be read ({error.strerror}); expected a parameter file") from None
        except YamlError as error:
            raise ParamsError(f"{path}: not readable as YAML: {error}") from None
        except ValidationError as error:
            raise ParamsError(_explain(path, error)) from None


def _explain(path: Path | str, error: ValidationError) -> str:
    """The message of a ParamsError: a line per setting, with all alternatives of a setting in one line."""
    messages: dict[str, list[str]] = {}
    for problem in error.errors():
        place = _place(problem["loc"])
        messages.setdefault(place, []).append(_message(place, problem))
    lines = [f"{path}: {len(messages)} setting(s) cannot be used:"]
    for place, (first, *others) in messages.items():
        alternatives = "".join(f", or {other.removeprefix('Input should be ')}" for other in others)
        lines.append(f"  {place or 'the file'}: {first}{alternatives}")
    return "\n".join(lines)


def _message(place: str, problem: ErrorDetails) -> str:
    if place in RENAMED:
        return f"renamed; write {problem['loc'][0]}.{RENAMED[place]}"
    if place in REMOVED:
        return "removed; delete this key"
    if problem["type"] == "extra_forbidden":
        section = _annotation(problem["loc"][:-1])
        return f"unknown; known here: {', '.join(sorted(section.model_fields))}"
    return problem["msg"].removeprefix("Value error, ")


def _place(location: tuple[int | str, ...]) -> str:
    """The path of a setting. Pydantic adds the name of an alternative after a setting with several types; drop it."""
    kept: list[int | str] = []
    for index, key in enumerate(location):
        if not _has_alternatives(_annotation(location[:index])):
            kept.append(key)
    return ".".join(map(str, kept))


def _annotation(location: tuple[int | str, ...]) -> Any:
    """The type of a section or setting; None for anything inside a setting."""
    annotation: Any = Params
    for key in location:
        field = getattr(annotation, "model_fields", {}).get(key)
        annotation = field and field.annotation
    return annotation


def _has_alternatives(annotation: Any) -> bool:
    if get_origin(annotation) not in (Union, UnionType):
        return False
    return len([option for option in get_args(annotation) if option is not NoneType]) > 1
