"""Names of files as people see them. A name may hold line breaks, terminal codes, and bytes that are no text.

Files themselves keep their names; messages and tables show them without what acts on a terminal or in a spreadsheet.
"""

import re

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters but tab and line feed, which messages use; line separators; bytes that are not UTF-8."""
CONTROL_OR_BREAK = re.compile(rf"{CONTROL.pattern}|[\t\n]")
NO_UTF8 = re.compile(r"[\ud800-\udfff]")
FORMULA = re.compile(r"\s*([=+@]|-.*[(|!])", re.DOTALL)
"""How a cell begins that a spreadsheet may run. A minus alone is harmless: names may begin with coordinates."""


def printable(text: str) -> str:
    r"""The text with escapes for characters that act on a terminal; its own line breaks stay.

    >>> printable("a\x1b[2Jb.jpg: unreadable\ncheck it")
    'a\\x1b[2Jb.jpg: unreadable\ncheck it'
    """
    return CONTROL.sub(_escape, text)


def one_line(text: str) -> str:
    r"""As `printable`, with escapes for line breaks, too.

    >>> one_line("a\nb.jpg")
    'a\\nb.jpg'
    """
    return CONTROL_OR_BREAK.sub(_escape, text)


def cell(text: str) -> str:
    r"""The text as it is written to a table: in one line, and never a formula.

    >>> cell("a\rb.jpg"), cell("=1+1.jpg"), cell("-61--40_10-24.jpeg")
    ('a\\rb.jpg', "'=1+1.jpg", '-61--40_10-24.jpeg')
    """
    line = one_line(text)
    return f"'{line}" if FORMULA.match(line) else line


def explain_name(name: str) -> str:
    """Why a file of a data set must be renamed: its name becomes a key in every table. Empty if it is usable."""
    if NO_UTF8.search(name):
        return "the file's name is not UTF-8; rename it"
    if CONTROL_OR_BREAK.search(name):
        return "the file's name holds control characters; rename it"
    return "a spreadsheet may run the file's name as a formula; rename it" if FORMULA.match(name) else ""


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
