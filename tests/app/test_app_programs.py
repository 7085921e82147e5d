"""The JSON endpoint: the same answer as `nephoscope predict`, and a message for everything that is no picture."""

import asyncio
import struct
import threading
import zlib
from pathlib import Path

import cv2
import httpx2
import numpy as np
import pandas as pd
import pytest

from nephoscope.app.errors import RequestError
from nephoscope.app.state import AppState, Pool
from nephoscope.artifacts import SHIPPED
from nephoscope.batch.predict import predict_pictures


def test_it_answers_what_the_command_writes(client: httpx2.Client, picture: Path, tmp_path: Path) -> None:
    predict_pictures([str(picture)], SHIPPED, str(tmp_path / "out"), engine="torch")
    submission = pd.read_csv(tmp_path / "out/submission.csv", keep_default_na=False)
    summary = pd.read_csv(tmp_path / "out/summary.csv", keep_default_na=False)
    raw = client.post("/api/predict", params={"name": picture.name}, content=picture.read_bytes()).json()
    form = client.post("/api/predict", files={"file": (picture.name, picture.read_bytes(), "image/jpeg")}).json()
    assert raw == form
    assert (raw["image_id"], raw["shape"]) == (picture.name, [350, 525])
    classes = pd.DataFrame(raw["classes"])
    assert (raw["image_id"] + "_" + classes["class_name"]).tolist() == submission["Image_Label"].tolist()
    assert classes["rle"].tolist() == submission["EncodedPixels"].tolist()
    for figure in ("presence", "confidence", "area_share"):
        assert classes[figure].round(4).tolist() == summary[figure].tolist()
    assert [round(raw["visible_share"], 4)] == summary["visible_share"].unique().tolist()
    assert classes["unsure"].tolist() == (summary["mark"] == "unsure").tolist()


def test_nothing_of_it_is_kept(client: httpx2.Client, picture: Path) -> None:
    answer = client.post("/api/predict", content=picture.read_bytes())
    assert "set-cookie" not in answer.headers
    assert client.get("/api/state").json()["pictures"] == []


def test_health_names_the_model(client: httpx2.Client, opened: AppState) -> None:
    health = client.get("/api/health").json()
    assert health["status"] == "ok"
    assert health["model"] == opened.fingerprint
    assert health["classes"] == ["Fish", "Flower", "Gravel", "Sugar"]


def test_the_description_holds_what_is_for_programs(client: httpx2.Client) -> None:
    description = client.get("/api/openapi.json").json()
    assert set(description["paths"]) == {"/api/predict", "/api/health"}
    assert set(description["paths"]["/api/predict"]["post"]["responses"]) >= {"200", "413", "415", "422", "503"}


def black_png() -> bytes:
    return bytes(cv2.imencode(".png", np.zeros((70, 105, 3), np.uint8))[1].tobytes())


def huge_png() -> bytes:
    """A small file that claims to be 20000×20000."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [
        (b"", 422, "the file is empty"),
        (b"no picture", 415, "neither a JPEG nor a PNG"),
        (b"\x89PNG\r\n\x1a\n", 415, "ends within its header"),
        (black_png(), 422, "all of it is black"),
        (huge_png(), 413, "more than 100000000 pixels"),
        (b"\xff\xd8" + bytes(1_000_000), 413, "larger than 1 MB"),
        (b"\xff\xd8" + bytes(6_000_000), 413, "larger than 1 MB"),
    ],
)
@pytest.mark.parametrize("path", ["/api/predict", "/api/pictures?name=it.jpg"])
def test_what_is_no_picture_is_refused(
    client: httpx2.Client, path: str, content: bytes, status: int, told: str
) -> None:
    answer = client.post(path, content=content)
    assert answer.status_code == status
    assert told in answer.json()["error"]


def test_a_picture_that_breaks_off_is_refused(client: httpx2.Client, picture: Path) -> None:
    content = picture.read_bytes()
    answer = client.post("/api/predict", content=content[: len(content) // 2])
    assert answer.status_code == 422
    assert "breaks off" in answer.json()["error"]


@pytest.mark.parametrize(
    ("files", "status", "told"),
    [
        ({"file": ("a.jpg", b"")}, 422, "the file is empty"),
        ({"file": ("a.jpg", bytes(1_005_000))}, 413, "larger than 1 MB"),
        ({"file": ("a.jpg", bytes(1_500_000))}, 413, "larger than 1 MB"),
    ],
)
def test_a_form_has_the_same_bounds(
    client: httpx2.Client, files: dict[str, tuple[str, bytes]], status: int, told: str
) -> None:
    answer = client.post("/api/predict", files=files)
    assert answer.status_code == status
    assert told in answer.json()["error"]


def test_a_form_without_a_file_is_refused(client: httpx2.Client) -> None:
    boundary = {"content-type": "multipart/form-data; boundary=here"}
    field = b'--here\r\nContent-Disposition: form-data; name="file"\r\n\r\ntext\r\n--here--\r\n'
    answer = client.post("/api/predict", content=field, headers=boundary)
    assert (answer.status_code, answer.json()["error"]) == (422, "the form holds no file; expected one picture")


def test_what_nobody_knows_is_told_in_json(client: httpx2.Client) -> None:
    assert client.get("/api/nothing").json() == {"error": "not found"}
    assert client.get("/api/predict").status_code == 405


def test_only_so_many_calls_wait() -> None:
    pool, begun, go_on = Pool(threads=1, waiting=1), threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        go_on.wait(60)
        return "done"

    async def ask() -> list[str]:
        calls = [asyncio.create_task(pool.run(work)) for _ in range(2)]
        await asyncio.to_thread(begun.wait, 60)
        with pytest.raises(RequestError, match="busy") as refusal:
            await pool.run(work)
        assert (refusal.value.status, refusal.value.headers) == (503, {"Retry-After": "2"})
        go_on.set()
        return [*await asyncio.gather(*calls), await pool.run(work)]

    assert asyncio.run(ask()) == ["done"] * 3
    pool.close()
