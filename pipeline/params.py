"""Every setting of every stage, typed: `params.yaml` → `Params.load()` → a stage takes its own section."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from pipeline.mendable import Mendable

PositiveShape = tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]
"""(height, width)"""
Share = Annotated[float, Field(ge=0, le=1)]
FormatName = Literal["clouds", "severstal"]
FamilyName = Literal["pixel", "area", "presence", "seed", "core"]
Searched = Literal["searched"]
LossName = Literal["bce", "weighted_bce", "cce", "focal", "dice", "jaccard", "tversky", "lovasz"]
OptimiserName = Literal["radam", "adamw", "adam", "nadam", "sgd", "rmsprop"]
ScheduleName = Literal["constant", "onecycle", "cosine", "plateau"]
Architecture = Literal[
    "Unet", "UnetPlusPlus", "FPN", "PSPNet", "Linknet", "MAnet", "PAN", "DeepLabV3", "DeepLabV3Plus", "UPerNet",
    "Segformer", "VanillaUnet",
]  # fmt: skip


class ParamsError(Mendable):
    """The parameter file does not say what nephoscope can do; the message says where, and what is allowed."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Synthesize(Section):
    format: FormatName = Field("clouds", description="layout in which the scenes are written")
    csv_layout: Literal["joined", "split"] = Field(
        "joined", description="steel only: one ImageId_ClassId column with four rows an image, or ImageId and ClassId"
    )
    labelled: int = Field(400, ge=1, description="scenes with labels")
    unlabelled: int = Field(24, ge=0, description="scenes without labels, for `submit`")
    shape: PositiveShape | None = Field(
        None, description="(height, width) of the pictures; null is the format's judged shape. The RLE keeps its own"
    )
    seed: int = Field(0, ge=0, description="another seed draws other scenes")


class Prepare(Section):
    root: Path = Field(Path("artifacts/synthesize/dataset"), description="folder of the data set")
    format: FormatName = Field("clouds", description="how the folder is laid out")
    faults: Literal["refuse", "set_aside"] = Field(
        "refuse", description="stop at faulty pictures and rows, or set them aside and list them"
    )
    cache_shape: PositiveShape = Field(
        (128, 192), description="(height, width) at which pictures are kept for training"
    )
    validation_share: Share = Field(
        0.2,
        description="share of the labelled pictures that rules are tuned on; with folds those are, and this is unused",
    )
    holdout_share: Share = Field(0.2, description="share of the labelled pictures that figures are measured on")
    folds: int = Field(
        0, ge=0, description="0: one split; k >= 2: train and validation are pooled and refolded, a member per fold"
    )
    folds_held_out: int | None = Field(
        None,
        ge=1,
        description="only the first so many folds are held out, each from a member of its own, which saves training "
        "those of the others; every member learns from the rest. null: all folds",
    )
    duplicate_distance: int = Field(
        3,
        ge=-1,
        le=64,
        description="pictures whose 64-bit hashes differ in at most so many bits stay on one side; -1: off",
    )
    seed: int = Field(0, description="another seed splits otherwise")

    @property
    def held_out(self) -> int:
        """Folds that a member of their own never sees; 0 without folds."""
        return self.folds if self.folds_held_out is None else self.folds_held_out

    @model_validator(mode="after")
    def _shares_leave_train(self) -> Self:
        if self.validation_share + self.holdout_share >= 1:
            raise ValueError("validation_share + holdout_share must stay below 1, or nothing is left to train on")
        if self.folds == 1:
            raise ValueError("folds: 1 is no folding; say 0 for one split or k >= 2")
        if self.folds_held_out is not None and self.folds_held_out > self.folds:
            raise ValueError(f"folds_held_out: {self.folds_held_out}, but there are {self.folds} folds")
        return self


class Augmentation(Section):
    """Shares are the probability with which a step is applied to a picture (to a batch, for cutmix)."""

    horizontal_flip: Share = Field(0.5, description="left and right change places")
    vertical_flip: Share = Field(0.5, description="top and bottom change places")
    rotation: Share = Field(0.0, description="turned, by up to rotation_degrees to either side")
    rotation_degrees: float = Field(20.0, ge=0, le=180, description="the largest angle of rotation")
    grid_distortion: Share = Field(0.0, description="stretched and squeezed, cell by cell of a grid")
    shift_scale_rotate: Share = Field(
        0.0, description="moved by up to 6 %, scaled by up to 10 %, turned by up to rotation_degrees"
    )
    brightness: Share = Field(0.0, description="brightness and contrast changed")
    cutmix: Share = Field(0.0, description="a rectangle of every picture is taken from another one of the batch")


class Optimiser(Section):
    name: OptimiserName = Field("adamw", description="torch's optimiser of this name")
    encoder_rate: float = Field(3e-4, gt=0, description="peak learning rate of the encoder")
    decoder_rate: float = Field(3e-3, gt=0, description="peak learning rate of everything that is new: head or decoder")
    weight_decay: float = Field(1e-2, ge=0, description="pull of every weight towards 0")
    schedule: ScheduleName = Field("onecycle", description="how the rates go over the steps; plateau: over the epochs")
    warmup_share: Share = Field(0.25, description="share of the steps in which onecycle and cosine rise")
    plateau_patience: int = Field(2, ge=0, description="plateau only: epochs without gain before the rate is cut")
    plateau_factor: float = Field(0.3, gt=0, lt=1, description="plateau only: by which the rates are multiplied then")


class Machine(Section):
    """Where and how a network runs. "auto" takes what the machine has."""

    accelerator: Literal["auto", "cpu", "gpu"] = Field("auto", description="auto: a GPU if there is one")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto: bf16 where that is faster")


def _whole(strategy: str) -> str:
    if strategy.startswith(("fsdp", "deepspeed", "model_parallel")):
        raise ValueError(f"{strategy} scatters a network over its processes, which keep no whole one; say ddp")
    return strategy


class TrainingMachine(Machine):
    """Where and how a network learns."""

    devices: int | Literal["auto"] = Field("auto", description="processes on CPU, cards on GPU; auto on CPU is 1")
    nodes: int = Field(1, ge=1, description="machines that train together")
    strategy: Annotated[str, AfterValidator(_whole)] = Field(
        "auto", description="a strategy of Lightning that leaves networks whole: auto, ddp, ddp_spawn, …"
    )
    workers: Annotated[int, Field(ge=0)] | Literal["auto"] = Field(
        "auto", description="loader processes; auto: none beside a CPU's network, which needs all cores, 8 beside a GPU"
    )


class Finish(Section):
    """A last stretch, from the best weights so far: a few epochs at lower rates, at a finer shape."""

    epochs: int = Field(0, ge=0, description="0: no such stretch")
    input_shape: PositiveShape | None = Field(None, description="(height, width) there; null is the cache's shape")
    encoder_rate: float = Field(1e-4, gt=0, description="peak learning rate of the encoder")
    decoder_rate: float = Field(5e-4, gt=0, description="peak learning rate of everything else")
    warmup_share: Share = Field(0.1, description="share of its steps in which onecycle and cosine rise")


def _differ(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError("the same is named twice")
    return values


LOSS = "parts of the loss, each with its weight in the sum"


class Training(Section):
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], AfterValidator(_differ)] = Field(
        (0,), min_length=1, description="one member is trained per seed (and per fold)"
    )
    encoder: str = Field("tf_efficientnet_lite0", description="an encoder's name, as timm or smp spell it")
    weights: str = Field(
        "bundled",
        description="bundled, hub, none, or a path to a safetensors file (which DVC does not watch: where it changes "
        "under its name, say `dvc repro --force` with the stage)",
    )
    input_shape: PositiveShape | None = Field(
        None, description="(height, width) the network sees; null is the cache's shape"
    )
    epochs: int = Field(4, ge=1, description="times that every picture is learnt from, at most")
    batch_size: int = Field(16, ge=1, description="pictures a step")
    loss: dict[LossName, Annotated[float, Field(gt=0)]] = Field({"bce": 1.0}, min_length=1, description=LOSS)
    label_smoothing: float = Field(
        0.0, ge=0, lt=0.5, description="targets lie half of this inside 0 and 1; pointwise losses only"
    )
    optimiser: Optimiser = Optimiser()
    finish: Finish = Finish()
    augmentation: Augmentation = Augmentation()
    sampling: Literal["shuffled", "balanced"] = Field(
        "shuffled",
        description="balanced: rare presence patterns are drawn as often as common ones, one of a single picture over "
        "and over",
    )
    frozen_epochs: int = Field(0, ge=0, description="epochs with the encoder frozen")
    unfreeze_steps: int = Field(1, ge=1, description="steps, an epoch each, that unfreeze the encoder, deepest first")
    ema_decay: float | None = Field(None, gt=0, lt=1, description="averaged weights: decay of the moving average")
    patience: int | None = Field(None, ge=0, description="epochs without gain before training stops; null: never")
    gradient_clip: float | None = Field(1.0, gt=0, description="largest norm of a gradient; null: any")
    machine: TrainingMachine = TrainingMachine()

    @model_validator(mode="after")
    def _only_what_is_frozen_wakes(self) -> Self:
        if self.unfreeze_steps > 1 and not self.frozen_epochs:
            raise ValueError(f"unfreeze_steps: {self.unfreeze_steps}, but nothing is frozen; give frozen_epochs, too")
        return self


class TrainClassifier(Training):
    weights: str = Field(
        "segmenter",
        description="segmenter: the encoder of the trained segmenter (of the same fold), which learnt more from masks "
        "than presence can tell; or bundled, hub, none, or a path to a safetensors file",
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="share of the pooled features that a step leaves out")
    monitor: Literal["pr_auc", "loss"] = Field("pr_auc", description="what chooses the epoch, on validation")


class TrainSegmenter(Training):
    architecture: Architecture = Field("Unet", description="of smp; VanillaUnet has an encoder of its own")
    decoder_width: float = Field(1.0, gt=0, description="channels of the decoder, as a share of the architecture's own")
    encoder: str = Field("timm-tf_efficientnet_lite0", description="an encoder's name, as smp spells it")
    loss: dict[LossName, Annotated[float, Field(gt=0)]] = Field(
        {"bce": 0.75, "dice": 0.25}, min_length=1, description=LOSS
    )
    pictures: Literal["all", "positives"] = Field(
        "all",
        description="positives: a class learns only from pictures that show it, and the gate does the rest; monitor "
        "sees all pictures all the same",
    )
    monitor: Literal["dice", "pr_auc", "loss"] = Field("dice", description="what chooses the epoch, on validation")

    @model_validator(mode="after")
    def _architecture_has_what_is_asked_of_it(self) -> Self:
        if self.decoder_width != 1 and self.architecture in ("Linknet", "VanillaUnet"):
            raise ValueError(f"decoder_width: {self.decoder_width}, but {self.architecture} has one width only: 1.0")
        if self.frozen_epochs and self.architecture == "VanillaUnet":
            raise ValueError("frozen_epochs: VanillaUnet has no trained encoder that could be frozen; say 0")
        return self


class Predict(Section):
    flips: Annotated[tuple[Literal["none", "horizontal", "vertical", "both"], ...], AfterValidator(_differ)] = Field(
        ("none", "horizontal"), min_length=1, description="views of a picture whose probabilities are averaged"
    )
    strongest_share: float = Field(
        0.1, gt=0, le=1, description="share of the visible pixels, strongest first, whose mean speaks for presence"
    )
    classifiers: int | None = Field(
        None, ge=1, description="so many, the first of those trained, see a new picture and are exported; null: all"
    )
    segmenters: int | None = Field(None, ge=1, description="the same for segmenters")
    batch_size: int = Field(16, ge=1, description="pictures computed at once")
    machine: Machine = Machine()


def _spread(values: Any) -> Any:
    """{first, last, step} → all the numbers it stands for."""
    if isinstance(values, dict) and set(values) == {"first", "last", "step"}:
        if not all(isinstance(value, int) for value in values.values()):
            raise ValueError(f"first, last and step are whole numbers; found {values}")
        return tuple(range(values["first"], values["last"] + 1, values["step"]))
    return values


Levels = Annotated[tuple[Annotated[int, Field(ge=1, le=255)], ...], BeforeValidator(_spread), Field(min_length=1)]
"""As a list, or as {first: 1, last: 255, step: 1}; level / 255 is the probability."""
Areas = Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(_spread), Field(min_length=1)]
"""Pixels at the judged shape, as a list, or as {first: 0, last: 30000, step: 250}."""


class Tune(Section):
    presence: Literal["classifier", "pixels", "both"] = Field("both", description="what presence is read from")
    classifier_weight: Share | Searched = Field(
        "searched", description="both only: share of the classifier in the fused presence"
    )
    calibrate: bool = Field(True, description="fit a logistic calibration of presence per class")
    family: FamilyName | Searched = Field(
        "searched",
        description="pixel: pixel threshold alone; area: + minimum area; presence: + presence threshold; "
        "seed, core: that + a seed threshold, or a core. Searched: cross-fitting decides",
    )
    follow_strongest: Annotated[float, Field(ge=0)] | Searched = Field(
        "searched",
        description="how far pixel, seed and core thresholds follow a picture's own strongest pixels: threshold × "
        "strongest ** this; 0: not at all",
    )
    force_strongest: bool | Searched = Field(
        "searched", description="where no class passes its presence threshold, the strongest does"
    )
    pixel_thresholds: Levels = Field(tuple(range(1, 256)), description="levels tried")
    min_areas: Areas | Literal["every"] = Field(
        tuple(range(0, 30_001, 250)), description="areas tried; every: whatever area a component has (slow)"
    )
    seed_thresholds: Levels = Field(tuple(range(100, 251, 15)), description="levels tried, beside no seed")
    core_thresholds: Levels = Field(tuple(range(100, 241, 20)), description="levels tried")
    core_areas: Areas = Field((100, 300, 1000, 2000, 4000, 8000, 16000), description="areas tried, beside no core")
    borrow: Share = Field(
        0.5, description="how far the calibrated presence threshold of a class moves towards the classes' mean"
    )
    goal: Literal["dice", "f_beta"] = Field("dice", description="f_beta: of presence first, then Dice")
    beta: float = Field(1.0, gt=0, description="f_beta only: above 1 recall counts more")
    min_precision: dict[str, Share] = Field({}, description="of presence, by class name; `every` is all others")
    min_recall: dict[str, Share] = Field({}, description="of presence, by class name; `every` is all others")
    folds: int = Field(5, ge=3, description="of the cross-fitted estimate")
    resamples: int = Field(200, ge=1, description="of the pictures, behind the intervals of thresholds")
    bootstrap: int = Field(2000, ge=1, description="resamples of the pictures behind the intervals of Dice")
    confidence: float = Field(0.95, gt=0, lt=1, description="of every interval")
    seed: int = Field(0, ge=0, description="of folds and resamples")

    @model_validator(mode="after")
    def _goals_are_bounds(self) -> Self:
        if self.force_strongest is True and (self.goal != "dice" or self.min_precision or self.min_recall):
            raise ValueError("force_strongest: true, but a class forced present breaks what a goal bounds; say false")
        return self

    @field_validator("pixel_thresholds", "min_areas", "seed_thresholds", "core_thresholds", "core_areas")
    @classmethod
    def _ascending(cls, values: tuple[int, ...] | str) -> tuple[int, ...] | str:
        return values if isinstance(values, str) else tuple(sorted(set(values)))


class Evaluate(Section):
    bootstrap: int = Field(2000, ge=1, description="resamples of the pictures behind every interval")
    confidence: float = Field(0.95, gt=0, lt=1, description="of every interval")
    seed: int = Field(0, ge=0, description="of the resamples")


class Explain(Section):
    worst: int = Field(
        3, ge=0, description="errors of presence that get a heat map, per class: misses and false alarms"
    )
    machine: Machine = Machine()


class Submit(Section):
    batch_size: int = Field(16, ge=1, description="pictures computed at once")
    machine: Machine = Machine()


class Export(Section):
    tolerance: float = Field(1e-3, gt=0, description="largest allowed difference of a probability from torch")
    half: bool = Field(False, description="keep weights in 16 bits, half the size; tolerance is then against those")
    checked_pictures: int = Field(16, ge=1, description="pictures on which the exported models are compared with torch")
    licence: str = Field("", description="said on the model card: under which terms the weights are, whom to cite")


class Report(Section):
    best: int = Field(6, ge=0, description="pictures shown of the best")
    median: int = Field(6, ge=0, description="pictures shown from around the median")
    worst: int = Field(12, ge=0, description="pictures shown of the worst")
    labels: int = Field(40, ge=0, description="labels shown on the page of those to look at again")
    title: str = Field("nephoscope", description="heading of the page")
    earlier: Path | None = Field(
        None,
        description="folder of tables of an earlier run (a copy of its artifacts/evaluate/tables), to compare with, "
        "picture by picture",
    )


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
    for fault in error.errors():
        where = ".".join(map(str, fault["loc"])) or "the file"
        message = fault["msg"]
        if fault["type"] == "extra_forbidden":
            message = f"unknown; known here: {', '.join(_known_keys(fault['loc'][:-1]))}"
        lines.append(f"  {where}: {message}")
    return "\n".join(lines)


def _known_keys(place: tuple[Any, ...]) -> list[str]:
    section: Any = Params
    for key in place:
        section = section.model_fields[key].annotation
    return sorted(section.model_fields)
