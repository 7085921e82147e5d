"""Names of classes that people choose: what can be a column, a row of a table, and part of a file's name."""

import re
import unicodedata
from collections.abc import Sequence

from nephoscope.errors import UserError
from nephoscope.masks.geometry import MAX_CLASSES

LONGEST = 60  # bytes; a file name of 255 bytes must hold it beside the name of an image
FORBIDDEN = re.compile(r'[/\\:*?"<>|$\x00-\x1f\x7f-\x9f\ud800-\udfff]')
"""Not possible in file names of some systems, control characters, and "$", which starts a formula in figures."""
RESERVED = frozenset(
    {"mean", "any", "none", "all classes", "split", "images", "visible_share", "class_name", "pattern"}
)
"""Rows and columns that stand beside classes in tables."""


def normalise(name: str) -> str:
    """Without spaces at the ends, and with composed accents: file systems differ in how they store "ü"."""
    return unicodedata.normalize("NFC", name.strip())


def check_class_names(names: Sequence[str]) -> None:
    """Raise a UserError if there are no classes, too many, or one whose name cannot be used."""
    if not names:
        raise UserError("no classes; label at least one image, or name the classes in prepare.classes")
    if len(names) > MAX_CLASSES:
        message = f"{len(names)} classes; at most {MAX_CLASSES} can be learnt at once: choose some with prepare.classes"
        raise UserError(message)
    for name in names:
        if reason := explain_class_name(name):
            raise UserError(f"the class name {name[:80]!r} {reason}; rename it in the labels")
    for index, name in enumerate(names):
        for other in names[:index]:
            if name.casefold() == other.casefold():
                message = f"the class names {other!r} and {name!r} differ in capitals only, or not at all"
                raise UserError(f"{message}; files of masks would overwrite each other: rename one")


def explain_class_name(name: str) -> str:
    """Why a name cannot be used; empty if it can."""
    if not name:
        return "is empty"
    if name != normalise(name):
        return "has spaces at an end, or decomposed accents"
    if len(name.encode("utf-8", "replace")) > LONGEST:
        return f"is longer than {LONGEST} bytes"
    if match := FORBIDDEN.search(name):
        return f"contains {match[0]!r}, which file names or figures cannot show"
    if name[0] in "._":
        return f"begins with {name[0]!r}"
    return "is a word that the tables use" if name.casefold() in RESERVED else ""
