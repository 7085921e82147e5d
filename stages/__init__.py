"""One script per stage: read, call, write. `python -m stages.NAME` runs one, `dvc repro` runs all in order."""

import sys
from types import TracebackType

from nephoscope.errors import USER_ERROR, as_user_error
from nephoscope.names import printable


def _print_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An error that the user can fix ends in its message and exit code 2; any other error shows its traceback."""
    known = as_user_error(error)
    if known is None:
        sys.__excepthook__(kind, error, trace)
        return
    print(f"nephoscope: {printable(str(known))}", file=sys.stderr)
    raise SystemExit(USER_ERROR)


sys.excepthook = _print_error
