"""The whole of `params.yaml`, typed: `Params.load()` reads and checks it, and every stage takes its own section."""

from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import ValidationError

from nephoscope.settings.data import Prepare, Synthesize
from nephoscope.settings.inference import Explain, Export, Predict, Submit
from nephoscope.settings.report import Report
from nephoscope.settings.section import ParamsError, Section
from nephoscope.settings.training import TrainClassifier, TrainSegmenter
from nephoscope.settings.tuning import Evaluate, Tune

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
REMOVED = {"tune.seed_thresholds", "tune.core_thresholds", "tune.core_areas"}
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
            content = yaml.safe_load(Path(path).read_text("utf-8")) or {}
            return cls.model_validate(content)
        except FileNotFoundError:
            raise ParamsError(f"{path}: no such file; run from the folder that holds params.yaml") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ParamsError(f"{path}: not readable as YAML: {error}") from None
        except ValidationError as error:
            raise ParamsError(_explain(path, error)) from None


def _explain(path: Path | str, error: ValidationError) -> str:
    lines = [f"{path}: {error.error_count()} setting(s) cannot be used:"]
    for problem in error.errors():
        place = ".".join(map(str, problem["loc"]))
        message = problem["msg"]
        if place in RENAMED:
            message = f"renamed; write {problem['loc'][0]}.{RENAMED[place]}"
        elif place in REMOVED:
            message = "removed; delete this key"
        elif problem["type"] == "extra_forbidden":
            message = f"unknown; known here: {', '.join(_keys_of(problem['loc'][:-1]))}"
        lines.append(f"  {place or 'the file'}: {message}")
    return "\n".join(lines)


def _keys_of(place: tuple[Any, ...]) -> list[str]:
    """The keys of a section, or of a group of settings inside one."""
    section: Any = Params
    for key in place:
        section = section.model_fields[key].annotation
    return sorted(section.model_fields)
