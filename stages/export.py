"""Export: both networks and the rules in, one portable model folder out, compared with torch."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nephoscope.artifacts import Artifacts, require_artifact
from nephoscope.bundle.card import write_card
from nephoscope.bundle.export import EXACT, compare, export_model
from nephoscope.bundle.load import open_portable
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest
from nephoscope.errors import UserError
from nephoscope.evaluation.tables import read_tables
from nephoscope.files import atomic_write, write_json
from nephoscope.inference.trained import select_members
from nephoscope.models.metadata import load_metadata
from nephoscope.rules.rules import Rules, read_rules
from nephoscope.settings.inference import Export
from nephoscope.settings.params import Params


def main(params: Export, artifacts: Artifacts) -> None:
    manifest = Manifest.load(artifacts.prepare.manifest)
    rules = read_rules(artifacts.tune.rules)
    folders = artifacts.train_classifier.members, artifacts.train_segmenter.members
    members = select_members(*folders, manifest.metadata, rules.inference_settings)
    rows = manifest.rows("holdout")[: params.checked_pictures]
    images = np.asarray(Cache.open(artifacts.prepare.cache).images[rows])

    with atomic_write(artifacts.export.model) as unfinished:
        export_model(unfinished, *members, rules, half=params.half)
        (unfinished / "card.md").write_text(describe(members, manifest, rules, params.licence, artifacts), "utf-8")
        exported, _ = open_portable(unfinished, "onnx")
        original, _ = open_portable(unfinished, "torch", EXACT)
        agreement = compare(exported, original, images)
        difference = max(agreement.presence, agreement.pixels)
        if difference > params.tolerance:
            raise UserError(
                f"the exported networks differ from torch by {difference:.2g}, "
                f"more than export.tolerance: {params.tolerance:.2g}"
            )
    write_json(artifacts.export.metrics, {"error": float(f"{difference:.0e}")})
    print(f"{artifacts.export.model}: within {difference:.1e} of torch on {agreement.pictures} pictures")


def describe(
    members: Sequence[Sequence[Path]], manifest: Manifest, rules: Rules, licence: str, artifacts: Artifacts
) -> str:
    metadata = [load_metadata(path) for paths in members for path in paths]
    return write_card(
        metadata, manifest, rules, licence, read_tables(require_artifact(artifacts.evaluate.tables, "evaluate"))
    )


if __name__ == "__main__":
    main(Params.load().export, Artifacts())
