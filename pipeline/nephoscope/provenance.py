"""Where a result comes from: everything that a file, a table or a Dataset says of the way it was made."""

from collections.abc import Mapping
from dataclasses import dataclass, field

CITATION = "Rasp et al. (2020), https://doi.org/10.1175/BAMS-D-19-0324.1, for the patterns and the training labels"
"""Whom to cite besides this software."""


@dataclass(frozen=True)
class Provenance:
    model: str
    """Fingerprint of the model's folder (SHA-256)."""
    rules: str
    """SHA-256 of the rules as JSON."""
    engines: Mapping[str, str]
    """Network → engine and precision, such as "openvino bf16"."""
    version: str
    """Of nephoscope."""
    command: str
    """The command, or the call in Python."""
    source: str = ""
    """Address of the image."""
    source_sha256: str = ""
    """Of the image's bytes; empty for arrays in memory."""
    citation: str = field(default=CITATION)

    def to_attributes(self) -> dict[str, str]:
        """Flat text, for the attributes of a file. No date: the same command gives the same bytes."""
        networks = "; ".join(f"{name}: {engine}" for name, engine in self.engines.items())
        return {
            "source": self.source,
            "source_sha256": self.source_sha256,
            "nephoscope_version": self.version,
            "nephoscope_model": self.model,
            "nephoscope_rules": self.rules,
            "nephoscope_engines": networks,
            "nephoscope_command": self.command,
            "references": self.citation,
        }
