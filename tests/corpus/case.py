"""One input of the corpus, and what must become of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """A file, or a folder that is one file to its users."""

    name: str
    content: bytes | Mapping[str, bytes]
    """Of the file; of a folder, by the path of each file in it."""
    refusal: str | None = None
    """A part of the message with which it is refused; None: it is read."""
    certain: bool = True
    """False: random damage, which may be refused or leave a readable file. Either is right; a crash is not."""

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        for name, content in ({"": self.content} if isinstance(self.content, bytes) else self.content).items():
            target = path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return path

    def agrees(self, problem: str | None) -> bool:
        """Whether this outcome (the message of the refusal; None: it was read) is right."""
        if problem is not None and not problem.strip():
            return False
        if not self.certain:
            return True
        return problem is None if self.refusal is None else problem is not None and self.refusal in problem


def damaged(case: Case, count: int, seed: int = 0) -> list[Case]:
    """Copies of a file with a few random bytes changed, or without its end."""
    import random

    draw = random.Random(f"{case.name} {seed}")
    assert isinstance(case.content, bytes)
    stem, dot, ending = case.name.rpartition(".")
    copies = []
    for number in range(count):
        content = bytearray(case.content)
        for _ in range(draw.randint(1, 4)):
            # Most decisions of a parser depend on the first bytes.
            end = draw.choice((64, 600, len(content)))
            content[draw.randrange(min(end, len(content)))] = draw.choice((0, 1, 127, 128, 255, draw.randrange(256)))
        if number % 3 == 1:
            del content[draw.randrange(1, len(content)) :]
        copies.append(Case(f"{stem}-damaged{number:02d}{dot}{ending}", bytes(content), certain=False))
    return copies
