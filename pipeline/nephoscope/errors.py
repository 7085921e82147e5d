"""An error that the user can fix. A stage ends with its message alone, without a traceback."""


class UserError(ValueError):
    """The message says what was found, what was expected, and the way out."""
