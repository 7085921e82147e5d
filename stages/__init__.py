"""One file a stage: read, call, write. `python -m stages.NAME` runs one, `dvc repro` all of them in order."""

import sys
from types import TracebackType

from nephoscope.errors import UserError


def _end_with_the_message(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What people can mend is told in their words; a traceback is for what only the code can mend."""
    if isinstance(error, UserError):
        print(f"nephoscope: {error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _end_with_the_message
