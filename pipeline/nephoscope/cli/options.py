"""What several commands share: options and exit codes. Loads little, so that help appears at once."""

from typing import Annotated

import typer

from nephoscope.settings.choices import Choice

SKIPPED, SOFTWARE_ERROR = 1, 70
"""Exit codes. 70 is EX_SOFTWARE of sysexits.h, so a bug differs from skipped images."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON lines, for programs")]
Engine = Annotated[Choice, typer.Option(help="Inference engine. auto: the fastest installed one that matches PyTorch")]
