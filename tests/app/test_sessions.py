"""Pictures are found only under the session that uploaded them, and their number is bounded."""

from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path

import httpx2
import numpy as np
import pytest

from nephoscope.app.errors import RequestError
from nephoscope.app.pictures import Picture
from nephoscope.app.sessions import SESSION, PictureStore, new_session
from nephoscope.evaluation.store import Prediction
from tests.builders.app_requests import uniform_rules, upload

NOTHING = Prediction(np.zeros((1, 1, 1), np.uint8), np.ones((1, 1), bool), np.zeros(1), np.zeros(1))
BLANK = Picture("a.jpg", np.zeros((8, 12, 3), np.uint8), NOTHING, b"", b"")


def named(name: str) -> Picture:
    return replace(BLANK, image_id=name)


def names(store: PictureStore, session: str) -> list[str]:
    return [picture.image_id for picture in store.of(session).values()]


def test_scripts_and_other_sites_cannot_read_the_session_cookie(client: httpx2.Client) -> None:
    (morsel,) = SimpleCookie(client.get("/api/state").headers["set-cookie"]).values()
    assert SESSION.fullmatch(morsel.value)
    assert (morsel["httponly"], morsel["samesite"], morsel["path"]) == (True, "strict", "/")
    assert "set-cookie" not in client.get("/api/state").headers  # the session goes on


def test_a_malformed_session_is_replaced(client: httpx2.Client) -> None:
    assert "set-cookie" in client.get("/api/state", headers={"cookie": "nephoscope=me"}).headers


def test_a_visitor_cannot_reach_pictures_of_another(server: str, picture: Path) -> None:
    with httpx2.Client(base_url=server, timeout=60) as owner, httpx2.Client(base_url=server) as other:
        own = upload(owner, picture)
        assert other.get("/api/state").json()["pictures"] == []
        assert [listed["id"] for listed in owner.get("/api/state").json()["pictures"]] == [own]
        changes = {"rules": uniform_rules(100)}
        responses = [
            other.get(f"/api/pictures/{own}"),
            other.get(f"/api/pictures/{own}/preview"),
            other.get(f"/api/pictures/{own}/thumbnail"),
            other.post(f"/api/pictures/{own}/masks", json=changes),
            other.post(f"/api/pictures/{own}/download/masks", json=changes),
            other.put(f"/api/pictures/{own}/truth", content=b"Image_Label,EncodedPixels\n"),
        ]
        assert [response.status_code for response in responses] == [404] * len(responses)
        assert {response.json()["error"].partition(";")[0] for response in responses} == {"no such image"}
        other.delete(f"/api/pictures/{own}")
        assert owner.get(f"/api/pictures/{own}/preview").headers["content-type"] == "image/jpeg"


def test_the_oldest_picture_of_a_visitor_is_dropped(client: httpx2.Client, picture: Path) -> None:
    ids = [upload(client, picture) for _ in range(4)]
    assert [listed["id"] for listed in client.get("/api/state").json()["pictures"]] == ids[1:]
    assert client.get(f"/api/pictures/{ids[0]}").status_code == 404


def test_a_picture_can_be_removed(client: httpx2.Client, picture: Path) -> None:
    own = upload(client, picture)
    assert client.delete(f"/api/pictures/{own}").status_code == 204
    assert client.get(f"/api/pictures/{own}").status_code == 404


@pytest.mark.parametrize(
    ("name", "image_id"),
    [
        ("../../etc/a.jpg", "a.jpg"),
        ("C:\\clouds\\a.jpg", "a.jpg"),
        ("..\\a.jpg", "a.jpg"),
        ("", "picture"),
        ("a\0\r\n\x1b[31mb.jpg", "a[31mb.jpg"),
        ("\0", "picture"),
        ("ä" * 150 + ".jpg", "ä" * 88 + ".jpg"),
    ],
)
def test_only_the_last_part_of_a_file_name_is_kept(
    client: httpx2.Client, picture: Path, name: str, image_id: str
) -> None:
    response = client.post("/api/pictures", params={"name": name}, content=picture.read_bytes())
    assert response.json()["image_id"] == image_id


def test_a_full_store_drops_the_oldest_picture_of_the_visitor_with_most() -> None:
    store, heavy, light = PictureStore(per_visitor=3, in_all=4), new_session(), new_session()
    store.put(light, named("light"))
    for name in ("first", "second", "third"):
        store.put(heavy, named(name))
    store.put(light, named("light too"))
    assert names(store, heavy) == ["second", "third"]
    assert names(store, light) == ["light", "light too"]


def test_truth_of_a_dropped_picture_is_rejected() -> None:
    store, session = PictureStore(1, 1), new_session()
    gone = store.put(session, BLANK)
    store.put(session, BLANK)
    with pytest.raises(RequestError, match="no such image"):
        store.set_truth(session, gone, None)
