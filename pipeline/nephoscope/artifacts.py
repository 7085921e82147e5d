"""The paths of all files that stages exchange. Only the stage itself writes to `artifacts/<stage>/`.

>>> Artifacts(Path("artifacts")).tune.rules
PosixPath('artifacts/tune/rules.json')
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nephoscope.errors import UserError

SHIPPED = Path(__file__).parent / "bundle" / "shipped"
"""The model that comes with the package, trained on real clouds. Its card describes it."""
EARLIER_KEYS = {
    "judged_shape": "output_shape",
    "reading": "inference_settings",
    "strongest_calibrations": "top_fraction_calibrations",
    "chance_calibrations": "presence_calibrations",
}
"""Keys of rules, manifests, model folders and checkpoints in earlier versions → their names today."""


@dataclass(frozen=True)
class StageFolder:
    folder: Path


class SynthesizeFolder(StageFolder):
    @property
    def dataset(self) -> Path:
        """Folder: a data set in the layout of a download."""
        return self.folder / "dataset"


class PrepareFolder(StageFolder):
    @property
    def manifest(self) -> Path:
        """Folder: `manifest.json` (the metadata) and the tables `images` and `truth`."""
        return self.folder / "manifest"

    @property
    def images(self) -> Path:
        """Table: one row per image, in the order of the cache."""
        return self.manifest / "images.csv"

    @property
    def truth(self) -> Path:
        """Table: the non-empty masks at the output shape, as RLE."""
        return self.manifest / "truth.csv"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def problems(self) -> Path:
        """Table: the problems of images and rows, and which images were set aside."""
        return self.folder / "problems.csv"

    @property
    def profile(self) -> Path:
        """Folder: tables and figures that describe the data."""
        return self.folder / "profile"


class TrainFolder(StageFolder):
    @property
    def members(self) -> Path:
        """Folder: one `<member>.safetensors` per seed (and fold)."""
        return self.folder / "members"

    @property
    def history(self) -> Path:
        """Table: one row per member and epoch."""
        return self.folder / "history.csv"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.json"

    @property
    def resume(self) -> Path:
        """Folder: the state of an interrupted run. Not an output for DVC, which would delete it."""
        return self.folder / "resume"


class PredictFolder(StageFolder):
    def probabilities(self, split: str) -> Path:
        return self.folder / f"{split}.zarr.zip"


class TuneFolder(StageFolder):
    @property
    def rules(self) -> Path:
        return self.folder / "rules.json"

    @property
    def tables(self) -> Path:
        """Folder: Dice of the rules, its intervals and all trials, as CSV."""
        return self.folder / "tables"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.json"


class EvaluateFolder(StageFolder):
    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.json"

    @property
    def tables(self) -> Path:
        """Folder: all results of the evaluation, as CSV."""
        return self.folder / "tables"

    @property
    def plots(self) -> Path:
        """Folder: the tables that `dvc plots` draws."""
        return self.folder / "plots"

    @property
    def plots_page(self) -> Path:
        """HTML template with which `dvc plots show` works offline."""
        return self.folder / "plots_page.html"


class ExplainFolder(StageFolder):
    @property
    def heat_maps(self) -> Path:
        """Folder: `<image_id>_<class_name>.jpg`, heat maps of errors of presence."""
        return self.folder / "heat_maps"

    @property
    def table(self) -> Path:
        """Table: the errors, and the file of each in `heat_maps`."""
        return self.folder / "heat_maps.csv"


class SubmitFolder(StageFolder):
    @property
    def submission(self) -> Path:
        return self.folder / "submission.csv"


class ExportFolder(StageFolder):
    @property
    def model(self) -> Path:
        """The portable model folder."""
        return self.folder / "model"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.json"


class ReportFolder(StageFolder):
    @property
    def page(self) -> Path:
        return self.folder / "report.html"

    @property
    def labels(self) -> Path:
        """Page: label issues, which are labels that the networks contradict."""
        return self.folder / "label_issues.html"

    @property
    def label_issues(self) -> Path:
        """Table: all label issues, the most surprising first."""
        return self.folder / "label_issues.csv"


@dataclass(frozen=True)
class Artifacts:
    root: Path = Path("artifacts")

    @property
    def synthesize(self) -> SynthesizeFolder:
        return SynthesizeFolder(self.root / "synthesize")

    @property
    def prepare(self) -> PrepareFolder:
        return PrepareFolder(self.root / "prepare")

    @property
    def train_classifier(self) -> TrainFolder:
        return TrainFolder(self.root / "train_classifier")

    @property
    def train_segmenter(self) -> TrainFolder:
        return TrainFolder(self.root / "train_segmenter")

    @property
    def predict(self) -> PredictFolder:
        return PredictFolder(self.root / "predict")

    @property
    def tune(self) -> TuneFolder:
        return TuneFolder(self.root / "tune")

    @property
    def evaluate(self) -> EvaluateFolder:
        return EvaluateFolder(self.root / "evaluate")

    @property
    def explain(self) -> ExplainFolder:
        return ExplainFolder(self.root / "explain")

    @property
    def submit(self) -> SubmitFolder:
        return SubmitFolder(self.root / "submit")

    @property
    def export(self) -> ExportFolder:
        return ExportFolder(self.root / "export")

    @property
    def report(self) -> ReportFolder:
        return ReportFolder(self.root / "report")


def require_artifact(path: Path, stage: str) -> Path:
    """The path, if it exists; otherwise a UserError that names the stage which writes it."""
    if not path.exists():
        raise UserError(f"{path} is missing; `python -m stages.{stage}` writes it")
    return path


def refuse_earlier_version(content: Any, path: Path, way_out: str) -> None:
    """Raise a UserError if the content of a JSON file, or its `data`, has a key that only earlier versions wrote."""
    parts = [content, content.get("data")] if isinstance(content, dict) else []
    keys = [key for part in parts if isinstance(part, dict) for key in EARLIER_KEYS if key in part]
    if keys:
        renamed = ", ".join(f"{key} is now {EARLIER_KEYS[key]}" for key in keys)
        raise UserError(f"{path} was written by an earlier version of nephoscope ({renamed}); {way_out}")
