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
    "TrainingMachine": "machine for training",
    "Machine": "machine for predict",
    "Device": "machine for explain and submit",
}
"""Class of settings → its name. Several sections have these."""
LONGEST = 8
"""A longer list is written as first, last and step."""
INTRODUCTION = """# Every setting

*Written by `python -m docs.parameters` from `pipeline/nephoscope/settings`; a test keeps it current.*

`params.yaml` has one section per stage. A missing key has its default; an unknown key is rejected. DVC needs every
section (`evaluate: {}` is enough) and `prepare.root`. Changing a setting reruns its stage and those that depend on it.
"""
Schema = dict[str, Any]


def render() -> str:
    """The page as Markdown, from the JSON schema of the settings."""
    schema = Params.model_json_schema()
    models = schema["$defs"]
    sections = [(name, models[_model_of(section)]) for name, section in schema["properties"].items()]
    chapters = [_chapter(f"`{name}`", model) for name, model in sections]
    chapters += [_chapter(f"Shared: `{name}`", models[model]) for model, name in SHARED.items()]
    return "\n".join([INTRODUCTION, *chapters])


def _chapter(title: str, model: Schema) -> str:
    rows = [_row(name, setting) for name, setting in model["properties"].items()]
    description = [model["description"], ""] if "description" in model else []
    return "\n".join(
        [f"## {title}", "", *description, "| setting | values | default | meaning |", "|---|---|---|---|", *rows, ""]
    )


def _row(name: str, setting: Schema) -> str:
    if "$ref" in setting:
        group = SHARED[_model_of(setting)].replace(" ", "-")
        return f"| `{name}` | settings | | [see below](#shared-{group}) |"
    cells = (f"`{name}`", spell(setting), f"`{_default(setting['default'])}`", setting["description"])
    return f"| {' | '.join(cells)} |"


def spell(schema: Schema) -> str:
    """The values that a JSON schema allows, in words.

    >>> spell({"type": "integer", "minimum": 1})
    'integer, at least 1'
    """
    if "anyOf" in schema:
        return " or ".join(spell(option) for option in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if "prefixItems" in schema:
        return "[height, width]"
    kind = schema["type"]
    if kind == "array":
        return f"list: {spell(schema['items'])}"
    if kind == "object":
        names = spell(schema["propertyNames"]) if "propertyNames" in schema else "name"
        return f"{{{names}: {spell(schema['additionalProperties'])}}}"
    words = {"string": "path" if schema.get("format") == "path" else "text", "boolean": "`true`, `false`"}
    return ", ".join([words.get(kind, kind), *_bounds(schema)])


def _bounds(schema: Schema) -> list[str]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return [f"{low} to {high}"]
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    return [f"{word} {schema[key]}" for key, word in words.items() if key in schema]


def _default(value: Any) -> str:
    """A default as YAML; long, evenly spaced lists as first, last and step."""
    if isinstance(value, list) and len(value) > LONGEST:
        step = value[1] - value[0]
        assert value == list(range(value[0], value[-1] + 1, step))
        value = {"first": value[0], "last": value[-1], "step": step}
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000).removesuffix("...\n").strip()


def _model_of(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


if __name__ == "__main__":
    TARGET.write_text(render(), "utf-8")
