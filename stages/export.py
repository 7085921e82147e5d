"""Export: both networks and the rules in, one portable model folder out, checked against PyTorch."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

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
from nephoscope.rules.rules import read_rules
from nephoscope.settings.inference import Export
from nephoscope.settings.params import Params


def main(params: Export, artifacts: Artifacts) -> None:
    manifest = Manifest.load(artifacts.prepare.manifest)
    rules = read_rules(artifacts.tune.rules)
    folders = artifacts.train_classifier.members, artifacts.train_segmenter.members
    members = select_members(*folders, manifest.metadata, rules.inference_settings)
    rows = manifest.rows("holdout")[: params.checked_pictures]
    images = np.asarray(Cache.open(artifacts.prepare.cache).images[rows])

    metadata = [load_metadata(path) for paths in members for path in paths]
    tables = read_tables(require_artifact(artifacts.evaluate.tables, "evaluate"))

    with atomic_write(artifacts.export.model) as unfinished:
        export_model(unfinished, *members, rules, half=params.half)
        card = write_card(metadata, manifest, rules, params.licence, tables)
        (unfinished / "card.md").write_text(card, "utf-8")
        difference = check_model(unfinished, images, params.tolerance)
    write_json(artifacts.export.metrics, {"error": float(f"{difference:.0e}")})
    print(f"{artifacts.export.model}: within {difference:.1e} of PyTorch on {len(images)} images")


def check_model(folder: Path, images: npt.NDArray[np.uint8], tolerance: float) -> float:
    """The largest difference between ONNX and PyTorch in any probability; an error if it exceeds the tolerance."""
    exported, _ = open_portable(folder, "onnx", EXACT)
    original, _ = open_portable(folder, "torch", EXACT)
    agreement = compare(exported, original, images)
    difference = max(agreement.presence, agreement.pixels)
    if difference > tolerance:
        raise UserError(
            f"the exported networks differ from PyTorch by {difference:.2g}, more than export.tolerance "
            f"({tolerance:.2g}); check the networks, or raise export.tolerance"
        )
    return difference


if __name__ == "__main__":
    main(Params.load().export, Artifacts())
