"""The note beside a picture: what was requested, when, and what came."""

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from nephoscope.data.visible import DARK, SMALLEST_SHARE
from nephoscope.earth.imagery.services import ServiceName
from nephoscope.earth.imagery.tiles import Picture
from nephoscope.earth.imagery.transfer import Download, TransferError
from nephoscope.files import read_json
from nephoscope.masks.geometry import Image

NOTE_ENDING = ".json"
COMPLETE_AFTER = timedelta(days=2)
"""After the beginning of a day (UTC). Services complete the pictures of a day until then."""
CREDIT = (
    "We acknowledge the use of imagery provided by services from NASA's Global Imagery Browse Services (GIBS), "
    "part of NASA's Earth Science Data and Information System (ESDIS)"
)


def describe_request(picture: Picture, file_name: str, service: ServiceName, url: str) -> dict[str, Any]:
    return {
        "file": file_name,
        "url": url,
        "service": service,
        "sensor": picture.satellite.sensor,
        "layer": picture.satellite.layer,
        "day": picture.day.isoformat(),
        "bounds": list(picture.bounds),
        "shape": list(picture.shape),
        "credit": CREDIT,
    }


def describe_download(downloaded: Download) -> dict[str, Any]:
    return {
        "requested_at": _to_text(downloaded.requested_at),
        "attempt_count": downloaded.attempts,
        "status": downloaded.status,
        "byte_count": len(downloaded.content),
        "sha256": hashlib.sha256(downloaded.content).hexdigest(),
        "seen_share": round(seen_share(downloaded.image), 4),
        "problem": "",
    }


def describe_failure(error: TransferError) -> dict[str, Any]:
    return {"requested_at": _to_text(datetime.now(UTC)), "status": error.status, "problem": str(error)}


def read_note(path: Path) -> dict[str, Any]:
    """Empty if the note is missing or damaged: then the picture is requested again."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def was_early(note: dict[str, Any], day: date) -> bool:
    """Whether the picture was requested before the services had completed it."""
    try:
        requested_at = datetime.fromisoformat(str(note.get("requested_at")))
    except ValueError:
        return True
    return requested_at < datetime.combine(day, time(), UTC) + COMPLETE_AFTER


def is_empty(note: dict[str, Any]) -> bool:
    """Whether the satellite saw nothing of the box."""
    return float(note.get("seen_share", 1)) < SMALLEST_SHARE


def seen_share(image: Image) -> float:
    """Share of the pixels that are brighter than the black between two orbits."""
    return float((image.max(axis=2) > np.uint8(DARK)).mean())


def _to_text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
