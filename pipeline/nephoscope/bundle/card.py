"""The model card: training data, results, calibration, rules and limits of a portable model."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nephoscope.data.manifest import SPLITS, Manifest
from nephoscope.evaluation.calibration import CALIBRATED, EVERY_CLASS
from nephoscope.evaluation.tables import HUMAN, OURS
from nephoscope.figures.tables import setting_text, show_rules
from nephoscope.models.metadata import NetworkMetadata
from nephoscope.rules.rules import Rules
from nephoscope.templates import UNKNOWN, open_templates

SHOWN_SETTINGS = ("weights", "epochs", "finetune", "batch_size", "loss", "label_smoothing", "ema_decay", "pictures")


def write_card(
    members: Sequence[NetworkMetadata],
    manifest: Manifest,
    rules: Rules,
    licence: str,
    tables: Mapping[str, pd.DataFrame],
) -> str:
    """Metadata of all members, data, rules, licence and the tables of an evaluation → the card, as Markdown."""
    labelled = manifest.rows("train", "validation", "holdout")
    template = open_templates(Path(__file__).parent, escape=False).get_template("card.md.jinja")  # Markdown, not HTML
    return template.render(
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
