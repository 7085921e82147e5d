"""A figure inside a page, with what it says to those who cannot see it."""

from dataclasses import dataclass
from typing import Self

from markupsafe import Markup
from matplotlib.figure import Figure

from pipeline.evaluation.svg import to_svg


@dataclass(frozen=True)
class Drawing:
    svg: Markup
    caption: str

    @classmethod
    def of_figure(cls, name: str, figure: Figure, caption: str) -> Self:
        return cls(Markup(to_svg(figure, name, caption)), caption)
