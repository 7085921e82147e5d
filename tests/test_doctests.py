"""Every example in a docstring of the package runs and gives what it prints."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from tests.builders.source_tree import module_files

PROMPT, SKIPPED = ">>> ", "# doctest: +SKIP"
EXAMPLES = {
    module: text.count(PROMPT) - text.count(SKIPPED)
    for module, path in module_files().items()
    if PROMPT in (text := path.read_text("utf-8"))
}
"""Module → number of examples that run"""


@pytest.mark.parametrize("module", EXAMPLES)
def test_examples_of_a_module_are_true(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = doctest.testmod(import_module(module), report=True)
    assert done.failed == 0
    assert done.attempted == EXAMPLES[module], "an example stands where doctest does not look"
