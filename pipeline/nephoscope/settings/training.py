"""Every setting of every stage, typed: `params.yaml` → `Params.load()` → a stage takes its own section."""

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)

from nephoscope.settings.section import Machine, PositiveShape, Section, Share, _differ

LossName = Literal["bce", "weighted_bce", "cce", "focal", "dice", "jaccard", "tversky", "lovasz"]
OptimiserName = Literal["radam", "adamw", "adam", "nadam", "sgd", "rmsprop"]
ScheduleName = Literal["constant", "onecycle", "cosine", "plateau"]
Architecture = Literal[
    "Unet", "UnetPlusPlus", "FPN", "PSPNet", "Linknet", "MAnet", "PAN", "DeepLabV3", "DeepLabV3Plus", "UPerNet",
    "Segformer", "VanillaUnet",
]  # fmt: skip


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


class Finetune(Section):
    """A last stretch, from the best weights so far: a few epochs at lower rates, at a finer shape."""

    epochs: int = Field(0, ge=0, description="0: no such stretch")
    input_shape: PositiveShape | None = Field(None, description="(height, width) there; null is the cache's shape")
    encoder_rate: float = Field(1e-4, gt=0, description="peak learning rate of the encoder")
    decoder_rate: float = Field(5e-4, gt=0, description="peak learning rate of everything else")
    warmup_share: Share = Field(0.1, description="share of its steps in which onecycle and cosine rise")


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
    finetune: Finetune = Finetune()
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
