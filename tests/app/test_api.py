"""The JSON API: the same results as `nephoscope predict`, and an error message for everything that is not an image."""

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


def test_the_response_equals_the_output_of_predict(client: httpx2.Client, picture: Path, tmp_path: Path) -> None:
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
    assert classes["unsure"].tolist() == (summary["confidence_label"] == "unsure").tolist()


def test_nothing_is_stored(client: httpx2.Client, picture: Path) -> None:
    response = client.post("/api/predict", content=picture.read_bytes())
    assert "set-cookie" not in response.headers
    assert client.get("/api/state").json()["pictures"] == []


def test_health_names_the_model_and_its_classes(client: httpx2.Client, opened: AppState) -> None:
    health = client.get("/api/health").json()
    assert health["status"] == "ok"
    assert health["model"] == opened.fingerprint
    assert health["classes"] == ["Fish", "Flower", "Gravel", "Sugar"]


def test_openapi_describes_only_the_api_for_programs(client: httpx2.Client) -> None:
    description = client.get("/api/openapi.json").json()
    assert set(description["paths"]) == {"/api/predict", "/api/health"}
    assert set(description["paths"]["/api/predict"]["post"]["responses"]) >= {"200", "413", "415", "422", "503"}


def black_png() -> bytes:
    return bytes(cv2.imencode(".png", np.zeros((70, 105, 3), np.uint8))[1].tobytes())


def huge_png() -> bytes:
    """A small file whose header says 20000×20000."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"", 422, "the file is empty"),
        (b"no picture", 415, "neither a JPEG nor a PNG"),
        (b"\x89PNG\r\n\x1a\n", 415, "ends within its header"),
        (black_png(), 422, "all of it is black"),
        (huge_png(), 413, "at most 100000000 are allowed"),
        (b"\xff\xd8" + bytes(1_000_000), 413, "larger than the limit of 1 MB"),
        (b"\xff\xd8" + bytes(6_000_000), 413, "larger than the limit of 1 MB"),
    ],
)
@pytest.mark.parametrize("path", ["/api/predict", "/api/pictures?name=it.jpg"])
def test_files_that_are_not_images_are_rejected(
    client: httpx2.Client, path: str, content: bytes, status: int, message: str
) -> None:
    response = client.post(path, content=content)
    assert response.status_code == status
    assert message in response.json()["error"]


def test_a_truncated_image_is_rejected(client: httpx2.Client, picture: Path) -> None:
    content = picture.read_bytes()
    response = client.post("/api/predict", content=content[: len(content) // 2])
    assert response.status_code == 422
    assert "the JPEG ends after" in response.json()["error"]


@pytest.mark.parametrize(
    ("files", "status", "message"),
    [
        ({"file": ("a.jpg", b"")}, 422, "the file is empty"),
        ({"file": ("a.jpg", bytes(1_005_000))}, 413, "larger than the limit of 1 MB"),
        ({"file": ("a.jpg", bytes(1_500_000))}, 413, "larger than the limit of 1 MB"),
    ],
)
def test_a_form_has_the_same_bounds(
    client: httpx2.Client, files: dict[str, tuple[str, bytes]], status: int, message: str
) -> None:
    response = client.post("/api/predict", files=files)
    assert response.status_code == status
    assert message in response.json()["error"]


def test_a_form_without_a_file_is_rejected(client: httpx2.Client) -> None:
    boundary = {"content-type": "multipart/form-data; boundary=here"}
    field = b'--here\r\nContent-Disposition: form-data; name="file"\r\n\r\ntext\r\n--here--\r\n'
    response = client.post("/api/predict", content=field, headers=boundary)
    assert (response.status_code, response.json()["error"]) == (422, "the form contains no file; expected one image")


@pytest.mark.parametrize("kind", ["Multipart/Form-Data", "MULTIPART/FORM-DATA"])
def test_the_type_of_a_form_may_have_capitals(client: httpx2.Client, picture: Path, kind: str) -> None:
    head = b'--here\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    form = head + picture.read_bytes() + b"\r\n--here--\r\n"
    response = client.post("/api/predict", content=form, headers={"content-type": f"{kind}; boundary=here"})
    assert (response.status_code, response.json().get("image_id")) == (200, "a.jpg")


def test_unknown_paths_and_methods_give_json(client: httpx2.Client) -> None:
    assert client.get("/api/nothing").json() == {"error": "not found"}
    assert client.get("/api/predict").status_code == 405


def test_the_number_of_waiting_calls_is_bounded() -> None:
    pool, started, proceed = Pool(threads=1, waiting=1), threading.Event(), threading.Event()

    def work() -> str:
        started.set()
        proceed.wait(60)
        return "done"

    async def call_all() -> list[str]:
        calls = [asyncio.create_task(pool.run(work)) for _ in range(2)]
        await asyncio.to_thread(started.wait, 60)
        with pytest.raises(RequestError, match="busy") as error:
            await pool.run(work)
        assert (error.value.status, error.value.headers) == (503, {"Retry-After": "2"})
        proceed.set()
        return [*await asyncio.gather(*calls), await pool.run(work)]

    assert asyncio.run(call_all()) == ["done"] * 3
    pool.close()
