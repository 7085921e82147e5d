"""Commands in the documents are valid: the command exists, accepts these options, and names existing files.

`python -m docs.run_commands` runs them; that takes too long for a test.
"""

import shlex
from importlib.util import find_spec

import pytest
import typer

from docs.run_commands import Block, read_blocks
from nephoscope.cli.commands import app
from tests.builders.source_tree import ROOT

PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").glob("*.md"))),
]
BLOCKS = [block for page in PAGES for block in read_blocks(page, (ROOT / page).read_text("utf-8"))]


def commands(block: Block) -> list[list[str]]:
    """A block → its simple commands, as lists of words; pipes and lists are split."""
    split: list[list[str]] = []
    for line in block.script.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars="|&;")
        words.whitespace_split = True
        split.append([])
        for word in words:
            if set(word) <= set("|&;"):
                split.append([])
            else:
                split[-1].append(word)
    return [command for command in split if command]


def test_a_block_is_split_into_commands() -> None:
    (block,) = read_blocks("a.md", "text\n<!-- not run: no data -->\n```bash\na b # c\nd 'e f' && g\n```\n")
    assert (block.line, block.reason) == (4, "no data")
    assert commands(block) == [["a", "b"], ["d", "e f"], ["g"]]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.page}:{block.line}")
def test_documented_commands_are_valid(block: Block) -> None:
    for name, *words in commands(block):
        if name == "nephoscope" and words != ["--help"]:
            parse(words)
        elif name == "python" and words[:1] == ["-m"] and words[1] != "pip":
            assert find_spec(words[1]), f"no module {words[1]}"
        elif name == "cp" and words[0].startswith("recipes/"):
            assert (ROOT / words[0]).exists(), words[0]


def parse(words: list[str]) -> None:
    """Parse a command line without running it; an unknown command or option raises."""
    group = typer.main.get_command(app)
    with group.make_context("nephoscope", list(words), resilient_parsing=False) as context:
        name, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])  # type: ignore[attr-defined]
        command.make_context(name, rest, parent=context).close()
