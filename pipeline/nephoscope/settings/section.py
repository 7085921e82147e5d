"""What the groups of settings share: the section, the error, and types with more than one user."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from nephoscope.errors import UserError

PositiveShape = tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]
"""(height, width)"""
Share = Annotated[float, Field(ge=0, le=1)]
Searched = Literal["searched"]
Precision = Literal["fp32", "bf16"]
"""Of the arithmetic in a network: 32 bits, or 16 where they suffice."""


class ParamsError(UserError):
    """The parameter file has settings that cannot be used; the message says where, and what is allowed."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Device(Section):
    """Where a network runs."""

    accelerator: Literal["auto", "cpu", "gpu"] = Field("auto", description="auto: a GPU if there is one")


class Machine(Device):
    """Where and in which precision a network predicts."""

    precision: Precision = Field(
        "fp32",
        description="fp32 everywhere, or bf16. It belongs to the rules: `submit`, model folders and `nephoscope "
        "predict` compute as the rules were tuned",
    )


def _refuse_repeats(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError("the same is named twice")
    return values


NoRepeats = AfterValidator(_refuse_repeats)
"""Annotated[tuple[…], NoRepeats] refuses a value that is listed twice."""


LONGEST_RANGE = 100_000


def _expand_range(values: Any) -> Any:
    """{first, last, step} → the numbers from first to last."""
    if isinstance(values, dict) and set(values) == {"first", "last", "step"}:
        if not all(isinstance(value, int) for value in values.values()):
            raise ValueError(f"first, last and step must be whole numbers; found {values}")
        numbers = range(values["first"], values["last"] + 1, values["step"])
        if (values["last"] - values["first"]) / values["step"] > LONGEST_RANGE:
            raise ValueError(f"more than {LONGEST_RANGE} numbers; choose a larger step")
        return tuple(numbers)
    return values


Levels = Annotated[tuple[Annotated[int, Field(ge=1, le=255)], ...], BeforeValidator(_expand_range), Field(min_length=1)]
"""As a list, or as {first: 1, last: 255, step: 1}; level / 255 is the probability."""
Areas = Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(_expand_range), Field(min_length=1)]
"""Pixels at the output shape, as a list, or as {first: 0, last: 30000, step: 250}."""
