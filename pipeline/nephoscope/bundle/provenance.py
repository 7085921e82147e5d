"""The provenance of results: which model, rules and engines made them."""

from importlib.metadata import version
from pathlib import Path

from nephoscope.bundle.folder import fingerprint
from nephoscope.data.formats import CLOUDS
from nephoscope.inference.ensemble import Ensemble
from nephoscope.provenance import CITATION, Provenance
from nephoscope.rules.rules import Rules


def trace_provenance(folder: Path, ensemble: Ensemble, rules: Rules, command: str) -> Provenance:
    """An open model → what all its results have in common. `Provenance.of_source` adds the image.

    `rules` are those that decide, which may differ from those in the folder.
    """
    return Provenance(
        model=fingerprint(folder),
        rules=rules.digest,
        engines=ensemble.engines,
        version=version("nephoscope"),
        command=command,
        citation=CITATION if ensemble.metadata.format == CLOUDS.name else "",
    )
