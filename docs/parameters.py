"""Write docs/parameters.md from the typed settings: `python -m docs.parameters`."""

from pathlib import Path
from typing import Any

import yaml

from nephoscope.settings.params import Params

TARGET = Path(__file__).with_name("parameters.md")
SHARED = {
    "Optimiser": "optimiser",
    "Finetune": "finetune",
    "Augmentation": "augmentation",
    "TrainingMachine": "machine that trains",
    "Machine": "machine that predicts",
}
"""Groups of settings that several sections have, by the class that holds them."""
LONGEST = 8
"""values of a list that are written out"""
INTRODUCTION = """# Every setting

*Written by `python -m docs.parameters` from `pipeline/nephoscope/settings`; a test keeps it current.*

`params.yaml` has one section per stage; a key that is left out has its default. (`dvc repro` wants every section named,
if only as `evaluate: {}`, and `prepare.root` written.) A key that nobody knows is refused, with the keys that are known
there. Changing a setting reruns its stage and what depends on it.
"""
Schema = dict[str, Any]


def render() -> str:
    """The whole page, from the JSON schema that pydantic makes of the settings."""
    schema = Params.model_json_schema()
    models = schema["$defs"]
    sections = [(name, models[_model_of(one)]) for name, one in schema["properties"].items()]
    chapters = [_chapter(f"`{name}`", model) for name, model in sections]
    chapters += [_chapter(f"Shared: `{name}`", models[model]) for model, name in SHARED.items()]
    return "\n".join([INTRODUCTION, *chapters])


def _chapter(title: str, model: Schema) -> str:
    rows = [_row(name, one) for name, one in model["properties"].items()]
    said = [model["description"], ""] if "description" in model else []
    return "\n".join(
        [f"## {title}", "", *said, "| setting | values | default | meaning |", "|---|---|---|---|", *rows, ""]
    )


def _row(name: str, one: Schema) -> str:
    if "$ref" in one:
        group = SHARED[_model_of(one)].replace(" ", "-")
        return f"| `{name}` | settings | | [see below](#shared-{group}) |"
    cells = (f"`{name}`", spell(one), f"`{_default(one['default'])}`", one["description"])
    return f"| {' | '.join(cells)} |"


def spell(one: Schema) -> str:
    """A schema in words.

    >>> spell({"type": "integer", "minimum": 1})
    'integer, at least 1'
    """
    if "anyOf" in one:
        return " or ".join(spell(each) for each in one["anyOf"])
    if "enum" in one or "const" in one:
        return ", ".join(f"`{value}`" for value in one.get("enum", [one.get("const")]))
    if "prefixItems" in one:
        return "[height, width]"
    kind = one["type"]
    if kind == "array":
        return f"list: {spell(one['items'])}"
    if kind == "object":
        names = spell(one["propertyNames"]) if "propertyNames" in one else "name"
        return f"{{{names}: {spell(one['additionalProperties'])}}}"
    words = {"string": "path" if one.get("format") == "path" else "text", "boolean": "`true`, `false`"}
    return ", ".join([words.get(kind, kind), *_bounds(one)])


def _bounds(one: Schema) -> list[str]:
    low, high = one.get("minimum"), one.get("maximum")
    if low is not None and high is not None:
        return [f"{low} to {high}"]
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    return [f"{word} {one[key]}" for key, word in words.items() if key in one]


def _default(value: Any) -> str:
    """As one would write it in YAML, evenly spaced lists by their ends."""
    if isinstance(value, list) and len(value) > LONGEST:
        step = value[1] - value[0]
        assert value == list(range(value[0], value[-1] + 1, step))
        value = {"first": value[0], "last": value[-1], "step": step}
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000).removesuffix("...\n").strip()


def _model_of(one: Schema) -> str:
    return str(one["$ref"]).rpartition("/")[2]


if __name__ == "__main__":
    TARGET.write_text(render(), "utf-8")
