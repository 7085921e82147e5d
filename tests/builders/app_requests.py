"""Requests to the app that several tests send."""

from pathlib import Path
from typing import Any

import httpx2

from nephoscope.rules.rules import Rules

Change = dict[str, float]


def upload(client: httpx2.Client, path: Path) -> str:
    """Upload an image and return its id."""
    response = client.post("/api/pictures", params={"name": path.name}, content=path.read_bytes())
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def tuned_rules(rules: Rules) -> list[Change]:
    """The tuned values, as the page sends them."""
    parts = {"presence_threshold", "pixel_threshold", "min_area"}
    return [rule.model_dump(include=parts) for rule in rules.rules]


def uniform_rules(level: int, presence: float = 0.0, min_area: int = 0) -> list[Change]:
    """The same rule for all four classes."""
    return [{"presence_threshold": presence, "pixel_threshold": level, "min_area": min_area}] * 4


def decide(client: httpx2.Client, picture_id: str, changes: list[Change]) -> dict[str, Any]:
    """The decision about a picture under changed rules."""
    response = client.post(f"/api/pictures/{picture_id}/masks", json={"rules": changes})
    assert response.status_code == 200, response.text
    return dict(response.json())
