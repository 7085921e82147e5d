"""Reading of YAML that a person wrote: what PyYAML accepts in silence, or fails on, is refused with its line."""

from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

LARGEST_FILE = 1_000_000
"""Bytes. A parameter file has a few thousand."""
MOST_VALUES = 100_000
"""Anchors let a short file hold more values than memory can."""
WIDEST_INTEGER = 64  # bits


class YamlError(ValueError):
    """The file cannot be read as YAML; the message says why and where."""


def read_yaml(path: Path) -> Any:
    """The content of a file; None if it is empty. Raises OSError and YamlError."""
    if path.stat().st_size > LARGEST_FILE:
        raise YamlError(f"the file is larger than {LARGEST_FILE // 1000} kB; expected settings")
    try:
        return yaml.load(path.read_text("utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise YamlError(str(error)) from None
    except RecursionError:
        raise YamlError("it is nested too deeply; settings need a few levels") from None


class _Loader(yaml.SafeLoader):
    """Refuses keys that are there twice, values that Python cannot hold, and more values than settings can have."""

    def get_single_node(self) -> Node | None:
        node: Node | None = super().get_single_node()
        if node is not None:
            _count_values(node, {})
        return node

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, OverflowError):
            # Python's own errors, such as that of a date in a 13th month or a number of 5000 digits.
            raise _not_readable(node) from None
        if isinstance(value, int) and value.bit_length() > WIDEST_INTEGER:
            raise _not_readable(node)
        return value


def _not_readable(node: Node) -> ConstructorError:
    text = str(node.value)
    shown = text if len(text) <= 40 else f"{text[:30]}… ({len(text)} characters)"
    return ConstructorError(None, None, f"{shown!r} is not usable as {node.tag.rpartition(':')[2]}", node.start_mark)


def _count_values(node: Node, counts: dict[int, int]) -> int:
    """Values within a node, with all aliases replaced; an error if there are too many, or a key is there twice."""
    if id(node) not in counts:
        counts[id(node)] = MOST_VALUES  # while it is not known; so a node within itself has too many
        if isinstance(node, MappingNode):
            _refuse_repeated_keys(node)
        children = node.value if isinstance(node, CollectionNode) else ()
        flat = [part for child in children for part in (child if isinstance(child, tuple) else (child,))]
        counts[id(node)] = 1 + sum(_count_values(child, counts) for child in flat)
    if counts[id(node)] > MOST_VALUES:
        raise ConstructorError(None, None, f"more than {MOST_VALUES} values, counting aliases", node.start_mark)
    return counts[id(node)]


def _refuse_repeated_keys(node: MappingNode) -> None:
    marks: dict[tuple[str, str], yaml.Mark] = {}
    for key, _ in node.value:
        if not isinstance(key, ScalarNode):
            continue
        first = marks.setdefault((key.tag, key.value), key.start_mark)
        if first is not key.start_mark:
            message = f"the key {key.value!r} is there twice, before in line {first.line + 1}; keep one"
            raise ConstructorError(None, None, message, key.start_mark)
