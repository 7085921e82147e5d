"""Two networks behind one call. A joint graph computes the encoder that they share once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from nephoscope.inference.engines import Engine, Images, Outputs, Probabilities
from nephoscope.masks.rle import Shape


class JointEngine(Protocol):
    """An engine for several networks: one output of each."""

    @property
    def input_shape(self) -> Shape: ...
    @property
    def description(self) -> str: ...

    def run(self, images: Images) -> Outputs:
        """Images at the input shape → probabilities of each network. Safe to call from several threads at once."""


@dataclass(frozen=True)
class JointOutput:
    """One network of a joint engine, as an engine. Its call takes as long as that of all networks."""

    joint: JointEngine
    index: int

    @property
    def input_shape(self) -> Shape:
        return self.joint.input_shape

    @property
    def description(self) -> str:
        return self.joint.description

    def __call__(self, images: Images) -> Probabilities:
        return self.joint.run(images)[self.index]


@dataclass(frozen=True)
class InTurn:
    """Engines of one input shape that run one after another, behind one call."""

    engines: tuple[Engine, ...]

    @property
    def input_shape(self) -> Shape:
        return self.engines[0].input_shape

    @property
    def description(self) -> str:
        return self.engines[0].description

    def run(self, images: Images) -> Outputs:
        return tuple(engine(images) for engine in self.engines)


def find_joint(classifiers: Sequence[Engine], segmenters: Sequence[Engine]) -> JointEngine | None:
    """The joint engine whose outputs these are, if there is one: first presence, then maps."""
    match list(classifiers), list(segmenters):
        case [JointOutput(joint=joint, index=0)], [JointOutput(joint=other, index=1)] if joint is other:
            return joint
    return None
