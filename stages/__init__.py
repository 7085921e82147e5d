"""One script per stage: read, call, write. `python -m stages.NAME` runs one, `dvc repro` runs all in order."""

import sys
from types import TracebackType

from nephoscope.errors import UserError
from nephoscope.names import printable


def _print_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An error that the user can fix ends in its message alone; any other error shows its traceback."""
    if isinstance(error, UserError):
        print(f"nephoscope: {printable(str(error))}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _print_error
