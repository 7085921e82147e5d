"""The model card: training data, results, calibration, rules and limits of a portable model."""

import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from nephoscope.data.formats import CLOUDS
from nephoscope.data.manifest import SPLITS, Manifest, Metadata
from nephoscope.evaluation.calibration import CALIBRATED, EVERY_CLASS
from nephoscope.evaluation.tables import HUMAN, OURS
from nephoscope.figures.tables import setting_text, show_rules
from nephoscope.models.metadata import NetworkMetadata
from nephoscope.rules.rules import Rules
from nephoscope.templates import UNKNOWN, open_templates

SHOWN_SETTINGS = ("weights", "epochs", "finetune", "batch_size", "loss", "label_smoothing", "ema_decay", "pictures")

LICENCES = frozenset({"mit", "apache-2.0", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "gpl-3.0"})
"""Identifiers that hubs know, and with which the licence text may begin; any other text is "other"."""
TAGS = {CLOUDS.name: ("clouds", "remote-sensing", "earth-observation", "shallow-convection")}


def write_card(
    members: Sequence[NetworkMetadata],
    manifest: Manifest,
    rules: Rules,
    licence: str,
    tables: Mapping[str, pd.DataFrame],
    all_images: bool = False,
) -> str:
    """Metadata of all members, data, rules, licence and the tables of an evaluation → the card, as Markdown.

    `all_images`: the members learned from all images. The tables are those of networks of the same kind, one per fold,
    that never saw their images.
    """
    labelled = manifest.rows("train", "validation", "holdout")
    template = open_templates(Path(__file__).parent, escape=False).get_template("card.md.jinja")  # Markdown, not HTML
    return template.render(
        front_matter=describe_for_hubs(manifest.metadata, rules, licence, tables, all_images),
        all_images=all_images,
        metadata=manifest.metadata,
        tuned_on=len(manifest.tuning_rows()),
        counts={split: len(manifest.rows(split)) for split in SPLITS},
        members=[(member, _shown_settings(member.settings)) for member in members],
        all_bear_a_class=manifest.presence(labelled).any(axis=1).all(),
        rule_table=show_rules(rules),
        inference_settings=rules.inference_settings,
        licence=licence,
        setting_text=setting_text,
        figure=_figure,
        interval=_interval,
        **_results(tables),
    )


def describe_for_hubs(
    metadata: Metadata,
    rules: Rules,
    licence: str,
    tables: Mapping[str, pd.DataFrame],
    all_images: bool = False,
) -> str:
    """YAML front matter, from which model hubs read licence, tags and results."""
    identifier = licence.split(",")[0].strip().removesuffix(".").lower()
    figures = _headline_figures(tables)
    split = "all images, cross-fitted" if all_images else "holdout"
    content: dict[str, Any] = {"license": identifier if identifier in LICENCES else "other"} if licence else {}
    content |= {
        "library_name": "nephoscope",
        "pipeline_tag": "image-segmentation",
        "tags": ["image-segmentation", "image-classification", "multi-label", "onnx", *TAGS.get(metadata.format, ())],
        "metrics": [figure["type"] for figure in figures],
        "model-index": [
            {
                "name": f"nephoscope, {metadata.format}",
                "results": [
                    {
                        "task": {"type": "image-segmentation"},
                        "dataset": {"name": metadata.format, "type": metadata.format, "split": split},
                        "metrics": figures,
                    }
                ],
            }
        ],
        "nephoscope": {
            "version": version("nephoscope"),
            "rules": rules.digest,
            "format": metadata.format,
            "classes": list(metadata.classes),
        },
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120).rstrip()


def _headline_figures(tables: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """The mean Dice and the Brier score of presence, where they are known."""
    dice, brier = tables["dice"], tables["brier"]
    rows = {
        "dice": dice.loc[(dice["class_name"] == "mean") & (dice["reference"] == OURS), "dice"],
        "brier_score": brier.loc[(brier["class_name"] == EVERY_CLASS) & (brier["source"] == CALIBRATED), "brier"],
    }
    return [
        {"type": name, "value": round(float(values.iloc[0]), 4)}
        for name, values in rows.items()
        if len(values) and math.isfinite(values.iloc[0])
    ]


def _results(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """The rows of an evaluation that the card shows."""
    dice, brier, confidence_levels = tables["dice"], tables["brier"], tables["confidence_levels"]
    references = dice[(dice["class_name"] == "mean") & (dice["reference"] != OURS)]
    pooled = brier["class_name"] == EVERY_CLASS
    return {
        "dices": dice[dice["reference"] == OURS].to_dict("records"),
        "references": references[~references["reference"].isin(HUMAN)].to_dict("records"),
        "people": references[references["reference"].isin(HUMAN)].to_dict("records"),
        "presence": {row["class_name"]: row for row in tables["presence"].to_dict("records")},
        "briers": pd.concat([brier[pooled], brier[~pooled & (brier["source"] == CALIBRATED)]]).to_dict("records"),
        "confidence_levels": confidence_levels[confidence_levels["class_name"] == EVERY_CLASS].to_dict("records"),
    }


def _figure(value: float, digits: int = 3) -> str:
    return UNKNOWN if math.isnan(value) else f"{value:.{digits}f}"


def _interval(low: float, high: float, digits: int = 3) -> str:
    return UNKNOWN if math.isnan(low) else f"{low:.{digits}f} to {high:.{digits}f}"


def _shown_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    shown = {key: settings[key] for key in SHOWN_SETTINGS if key in settings}
    if not shown.get("finetune", {}).get("epochs"):
        shown.pop("finetune", None)
    return shown
