"""Where a result comes from: everything that a file, a table or a Dataset says of the way it was made."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from nephoscope.addresses import open_storage

CITATION = "Rasp et al. (2020), https://doi.org/10.1175/BAMS-D-19-0324.1, for the patterns and the training labels"
"""Whom to cite besides this software."""
BLOCK = 1 << 20
PROVENANCE_FILE = "provenance.json"
"""Beside tables and pictures, which have no attributes of their own: `to_attributes` as a JSON object."""


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

    def of_source(self, address: str, sha256: str = "") -> Self:
        """The record of one image."""
        return replace(self, source=address, source_sha256=sha256)

    def to_attributes(self) -> dict[str, str]:
        """Flat text, for the attributes of a file, without what is unknown.

        There is no date, so that the same command gives the same bytes.
        """
        networks = "; ".join(f"{name}: {engine}" for name, engine in self.engines.items())
        stated = {
            "source": self.source,
            "source_sha256": self.source_sha256,
            "nephoscope_version": self.version,
            "nephoscope_model": self.model,
            "nephoscope_rules": self.rules,
            "nephoscope_engines": networks,
            "nephoscope_command": self.command,
            "references": self.citation,
        }
        return {name: text for name, text in stated.items() if text}


def hash_source(address: str) -> str:
    """SHA-256 of a file, or of all files of a folder (a Zarr store) by name; read in parts, of any size."""
    files, path = open_storage(address)
    digest = hashlib.sha256()
    paths = sorted(files.find(path)) if files.isdir(path) else [path]
    for part in paths:
        if part != path:
            digest.update(part.removeprefix(path).encode())
        with files.open(part, "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()
