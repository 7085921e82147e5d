"""Settings of `train_segmenter` and `train_classifier`."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from nephoscope.settings.section import Device, NoRepeats, PositiveShape, Precision, Section, Share

LossName = Literal["bce", "weighted_bce", "cce", "focal", "dice", "jaccard", "tversky", "lovasz"]
OptimiserName = Literal["radam", "adamw", "adam", "nadam", "sgd", "rmsprop"]
ScheduleName = Literal["constant", "onecycle", "cosine", "plateau"]
Architecture = Literal[
    "Unet", "UnetPlusPlus", "FPN", "PSPNet", "Linknet", "MAnet", "PAN", "DeepLabV3", "DeepLabV3Plus", "UPerNet",
    "Segformer", "VanillaUnet",
]  # fmt: skip
Loss = dict[LossName, Annotated[float, Field(gt=0)]]
PER_IMAGE_LOSSES: tuple[LossName, ...] = ("bce", "weighted_bce", "focal")
"""Those that need no pixels."""
LOSS = "terms of the loss, each with its weight"
MONITOR = "validation metric that chooses the epoch"


class Augmentation(Section):
    """A share is the probability of a step per image (per batch for cutmix)."""

    horizontal_flip: Share = Field(0.5, description="flip left and right")
    vertical_flip: Share = Field(0.5, description="flip top and bottom")
    rotation: Share = Field(0.0, description="rotate by at most rotation_degrees")
    rotation_degrees: float = Field(20.0, ge=0, le=180, description="largest angle of rotation, in either direction")
    grid_distortion: Share = Field(0.0, description="stretch and squeeze the cells of a grid")
    shift_scale_rotate: Share = Field(
        0.0, description="shift by at most 6 %, scale by at most 10 %, rotate by at most rotation_degrees"
    )
    brightness: Share = Field(0.0, description="change brightness and contrast")
    cutmix: Share = Field(0.0, description="replace a rectangle of every image by one from another image of the batch")


class Optimiser(Section):
    name: OptimiserName = Field("adamw", description="optimiser of PyTorch")
    encoder_rate: float = Field(3e-4, gt=0, description="peak learning rate of the encoder")
    decoder_rate: float = Field(3e-3, gt=0, description="peak learning rate of the decoder or head")
    weight_decay: float = Field(1e-2, ge=0, description="weight decay")
    schedule: ScheduleName = Field(
        "onecycle", description="learning rate schedule, per step; plateau changes the rates after epochs"
    )
    warmup_share: Share = Field(0.25, description="onecycle and cosine only: share of the steps for warm-up")
    plateau_patience: int = Field(
        2, ge=0, description="plateau only: epochs without improvement before the rates are reduced"
    )
    plateau_factor: float = Field(0.3, gt=0, lt=1, description="plateau only: factor that reduces the rates")


def _refuse_sharding(strategy: str) -> str:
    if strategy.startswith(("fsdp", "deepspeed", "model_parallel")):
        raise ValueError(f"{strategy} splits a network between processes, and checkpoints need whole ones; write ddp")
    return strategy


class TrainingMachine(Device):
    """Where and in which precision a network is trained."""

    precision: Precision | Literal["auto"] = Field("auto", description="auto: bf16 if it is faster here")
    devices: int | Literal["auto"] = Field(
        "auto", description="number of GPUs, or of processes on a CPU; auto: all GPUs, one process on a CPU"
    )
    nodes: int = Field(1, ge=1, description="number of machines that train together")
    strategy: Annotated[str, AfterValidator(_refuse_sharding)] = Field(
        "auto", description="strategy of Lightning that keeps a whole network in every process: auto, ddp, ddp_spawn, …"
    )
    workers: Annotated[int, Field(ge=0)] | Literal["auto"] = Field(
        "auto", description="data loader processes; auto: 8 with a GPU, none on a CPU, where training uses all cores"
    )


class Finetune(Section):
    """A second phase that starts from the best weights: few epochs, lower learning rates, usually a finer shape.

    If none of its epochs has a higher score, the network of the first phase is kept, with its input shape.
    """

    epochs: int = Field(0, ge=0, description="number of epochs; 0: no second phase")
    input_shape: PositiveShape | None = Field(
        None, description="(height, width) of the network's input in this phase; null: the cache shape"
    )
    encoder_rate: float = Field(1e-4, gt=0, description="peak learning rate of the encoder")
    decoder_rate: float = Field(5e-4, gt=0, description="peak learning rate of the decoder or head")
    warmup_share: Share = Field(0.1, description="onecycle and cosine only: share of the steps for warm-up")


class Training(Section):
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], NoRepeats] = Field(
        (0,), min_length=1, description="random seeds; one member is trained per seed (and per fold)"
    )
    encoder: str = Field("tf_efficientnet_lite0", description="name of an encoder in timm")
    weights: str = Field(
        "bundled",
        description="initial weights: bundled, hub, none, or the path of a safetensors file. DVC does not watch that "
        "file: after a change, run `dvc repro --force` with the stage",
    )
    input_shape: PositiveShape | None = Field(
        None, description="(height, width) of the network's input; null: the cache shape"
    )
    epochs: int = Field(4, ge=1, description="largest number of epochs")
    batch_size: int = Field(16, ge=1, description="images per step")
    loss: Loss = Field({"bce": 1.0}, min_length=1, description=LOSS)
    label_smoothing: float = Field(
        0.0, ge=0, lt=0.5, description="pointwise losses only: targets move from 0 and 1 inwards by half of this"
    )
    optimiser: Optimiser = Optimiser()
    finetune: Finetune = Finetune()
    augmentation: Augmentation = Augmentation()
    sampling: Literal["shuffled", "balanced"] = Field(
        "shuffled",
        description="shuffled: every image once per epoch; balanced: oversample so that every label combination is "
        "equally frequent",
    )
    frozen_epochs: int = Field(0, ge=0, description="epochs with a frozen encoder, at the start")
    unfreeze_steps: int = Field(
        1, ge=1, description="number of steps, one per epoch, in which the encoder is unfrozen, deepest layers first"
    )
    ema_decay: float | None = Field(
        None, gt=0, lt=1, description="decay of the exponential moving average of the weights (EMA); null: no EMA"
    )
    patience: int | None = Field(
        None, ge=0, description="epochs without improvement before training stops; null: never stop early"
    )
    gradient_clip: float | None = Field(1.0, gt=0, description="largest norm of the gradient; null: no limit")
    machine: TrainingMachine = TrainingMachine()

    @model_validator(mode="after")
    def _unfreezing_needs_a_frozen_encoder(self) -> Self:
        if self.unfreeze_steps > 1 and not self.frozen_epochs:
            raise ValueError(f"unfreeze_steps: {self.unfreeze_steps}, but nothing is frozen; set frozen_epochs, too")
        return self


class TrainClassifier(Training):
    weights: str = Field(
        "segmenter",
        description="initial weights: segmenter (the encoder of the trained segmenter of the same fold), bundled, hub, "
        "none, or the path of a safetensors file",
    )
    loss: Loss = Field(
        {"bce": 1.0}, min_length=1, description=f"{LOSS}; only {', '.join(PER_IMAGE_LOSSES)} need no pixels"
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout before the head")
    monitor: Literal["pr_auc", "loss"] = Field("pr_auc", description=MONITOR)

    @field_validator("loss")
    @classmethod
    def _the_loss_needs_no_pixels(cls, loss: Loss) -> Loss:
        wrong = [name for name in loss if name not in PER_IMAGE_LOSSES]
        if wrong:
            raise ValueError(
                f"{', '.join(wrong)}: only for pixels, and a classifier has none; use {', '.join(PER_IMAGE_LOSSES)}"
            )
        return loss


class TrainSegmenter(Training):
    architecture: Architecture = Field(
        "Unet", description="architecture of segmentation-models-pytorch; VanillaUnet has an encoder of its own"
    )
    decoder_width: float = Field(1.0, gt=0, description="factor on the channels of the decoder")
    encoder: str = Field("timm-tf_efficientnet_lite0", description="name of an encoder in segmentation-models-pytorch")
    loss: Loss = Field({"bce": 0.75, "dice": 0.25}, min_length=1, description=LOSS)
    pictures: Literal["all", "positives"] = Field(
        "all",
        description="images behind the loss of a class: all, or only those that show the class (positives). "
        "The monitor uses all images in both cases",
    )
    monitor: Literal["dice", "pr_auc", "loss"] = Field("dice", description=MONITOR)
    top_fraction: float = Field(
        0.1,
        gt=0,
        le=1,
        description="monitor dice: share of the visible pixels, highest probability first, whose mean decides on "
        "presence; write the same as predict.top_fraction",
    )

    @model_validator(mode="after")
    def _architecture_supports_the_settings(self) -> Self:
        if self.decoder_width != 1 and self.architecture in ("Linknet", "VanillaUnet"):
            raise ValueError(f"decoder_width: {self.decoder_width}, but {self.architecture} has one width only: 1.0")
        if self.frozen_epochs and self.architecture == "VanillaUnet":
            raise ValueError("frozen_epochs: VanillaUnet has no trained encoder that could be frozen; write 0")
        return self
