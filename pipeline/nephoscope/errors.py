"""Mendable: what the person at the keyboard can put right. A stage ends with its message alone, without a traceback."""


class Mendable(ValueError):  # noqa: N818 - named for the person, not for the machine
    """The message says what was found, what was expected, and the way out."""
