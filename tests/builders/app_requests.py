"""Requests that several tests make."""

from pathlib import Path
from typing import Any

import httpx2

from nephoscope.rules.rules import Rules

Move = dict[str, float]


def bring(client: httpx2.Client, path: Path) -> str:
    """Returns the picture's id."""
    answer = client.post("/api/pictures", params={"name": path.name}, content=path.read_bytes())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def tuned_moves(rules: Rules) -> list[Move]:
    kept = {"presence_threshold", "pixel_threshold", "min_area"}
    return [rule.model_dump(include=kept) for rule in rules.rules]


def every_pixel_from(level: int, presence: float = 0.0, min_area: int = 0) -> list[Move]:
    return [{"presence_threshold": presence, "pixel_threshold": level, "min_area": min_area}] * 4


def decide(client: httpx2.Client, picture_id: str, moves: list[Move]) -> dict[str, Any]:
    answer = client.post(f"/api/pictures/{picture_id}/masks", json={"rules": moves})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
