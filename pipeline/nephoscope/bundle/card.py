"""The model card: what a portable model was made from, what it reaches, and what it must not be used for."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from nephoscope.data.manifest import SPLITS, Manifest
from nephoscope.evaluation.calibration import CHANCE, EVERY_CLASS
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
    """Facts of all members, the data, the rules, its terms and the tables of an evaluation → the card, as Markdown."""
    brier, pooled = tables["brier"], tables["brier"]["class_name"] == EVERY_CLASS
    marks = tables["confidence_marks"][tables["confidence_marks"]["class_name"] == EVERY_CLASS]
    dices, labelled = tables["dice"], manifest.rows("train", "validation", "holdout")
    beside = dices[(dices["class_name"] == "mean") & (dices["reference"] != OURS)]
    # The card is no page: what it quotes needs no escaping.
    return (
        open_templates(Path(__file__).parent, escape=False)
        .get_template("card.md.jinja")
        .render(
            metadata=manifest.metadata,
            tuned_on=len(manifest.tuning_rows()),
            counts={split: len(manifest.rows(split)) for split in SPLITS},
            members=[(one, _shown(one.settings)) for one in members],
            dices=tables["dice"][tables["dice"]["reference"] == OURS].to_dict("records"),
            references=beside[~beside["reference"].isin(HUMAN)].to_dict("records"),
            people=beside[beside["reference"].isin(HUMAN)].to_dict("records"),
            all_bear_a_class=manifest.presence(labelled).any(axis=1).all(),
            presence={row["class_name"]: row for row in tables["presence"].to_dict("records")},
            briers=pd.concat([brier[pooled], brier[~pooled & (brier["source"] == CHANCE)]]).to_dict("records"),
            marks=marks.to_dict("records"),
            rule_table=show_rules(rules),
            inference_settings=rules.inference_settings,
            licence=licence,
            setting_text=setting_text,
            figure=_figure,
            interval=_interval,
        )
    )


def _figure(value: float, digits: int = 3) -> str:
    return UNKNOWN if math.isnan(value) else f"{value:.{digits}f}"


def _interval(low: float, high: float, digits: int = 3) -> str:
    return UNKNOWN if math.isnan(low) else f"{low:.{digits}f} to {high:.{digits}f}"


def _shown(settings: Mapping[str, Any]) -> dict[str, Any]:
    shown = {key: settings[key] for key in SHOWN_SETTINGS if key in settings}
    if not shown.get("finetune", {}).get("epochs"):
        shown.pop("finetune", None)
    return shown
