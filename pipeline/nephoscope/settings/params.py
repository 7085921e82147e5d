"""Every setting of every stage, typed: `params.yaml` → `Params.load()` → a stage takes its own section."""

from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import (
    ValidationError,
)

from nephoscope.settings.data import Prepare, Synthesize
from nephoscope.settings.inference import Explain, Export, Predict, Submit
from nephoscope.settings.report import Report
from nephoscope.settings.section import ParamsError, Section
from nephoscope.settings.training import TrainClassifier, TrainSegmenter
from nephoscope.settings.tuning import Evaluate, Tune


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
        """Read a parameter file; a key nobody knows is refused, with the keys that are known there."""
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
        where = ".".join(map(str, problem["loc"])) or "the file"
        message = problem["msg"]
        if problem["type"] == "extra_forbidden":
            message = f"unknown; known here: {', '.join(_known_keys(problem['loc'][:-1]))}"
        lines.append(f"  {where}: {message}")
    return "\n".join(lines)


def _known_keys(place: tuple[Any, ...]) -> list[str]:
    section: Any = Params
    for key in place:
        section = section.model_fields[key].annotation
    return sorted(section.model_fields)
