"""What several commands share: options and exit codes. Loads nothing else, so that help appears at once."""

from typing import Annotated

import typer

SKIPPED, USER_ERROR, SOFTWARE_ERROR = 1, 2, 70
"""Exit codes. 70 is EX_SOFTWARE of sysexits.h, so a bug differs from skipped images."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON lines, for programs")]


def parse_numbers(text: str, count: int, option: str, example: str, separator: str = ",") -> tuple[float, ...]:
    """Numbers in one word → as many floats as expected; typer shows the message of an error beside the option.

    >>> parse_numbers("-61,10,-40,24", 4, "--bounds", "W,S,E,N")
    (-61.0, 10.0, -40.0, 24.0)
    """
    try:
        numbers = tuple(float(part) for part in text.split(separator))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise typer.BadParameter(f"found {text!r}; expected {example}", param_hint=option)
    return numbers
