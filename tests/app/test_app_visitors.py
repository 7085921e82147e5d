"""Pictures are found under the session that brought them, and nowhere else; there are never too many."""

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
from tests.builders.app_requests import bring, every_pixel_from

NOTHING = Prediction(np.zeros((1, 1, 1), np.uint8), np.ones((1, 1), bool), np.zeros(1), np.zeros(1))
BLANK = Picture("a.jpg", np.zeros((8, 12, 3), np.uint8), NOTHING, b"", b"")


def named(name: str) -> Picture:
    return replace(BLANK, image_id=name)


def names(store: PictureStore, session: str) -> list[str]:
    return [picture.image_id for picture in store.of(session).values()]


def test_a_session_is_a_cookie_that_neither_scripts_nor_other_sites_get(client: httpx2.Client) -> None:
    (morsel,) = SimpleCookie(client.get("/api/state").headers["set-cookie"]).values()
    assert SESSION.fullmatch(morsel.value)
    assert (morsel["httponly"], morsel["samesite"], morsel["path"]) == (True, "strict", "/")
    assert "set-cookie" not in client.get("/api/state").headers  # the same visitor still


def test_a_session_that_was_made_up_is_replaced(client: httpx2.Client) -> None:
    assert "set-cookie" in client.get("/api/state", headers={"cookie": "nephoscope=me"}).headers


def test_nobody_finds_the_pictures_of_another(server: str, picture: Path) -> None:
    with httpx2.Client(base_url=server, timeout=60) as one, httpx2.Client(base_url=server) as other:
        own = bring(one, picture)
        assert other.get("/api/state").json()["pictures"] == []
        assert [one["id"] for one in one.get("/api/state").json()["pictures"]] == [own]
        moves = {"rules": every_pixel_from(100)}
        tried = [
            other.get(f"/api/pictures/{own}"),
            other.get(f"/api/pictures/{own}/preview"),
            other.get(f"/api/pictures/{own}/thumbnail"),
            other.post(f"/api/pictures/{own}/masks", json=moves),
            other.post(f"/api/pictures/{own}/download/masks", json=moves),
            other.put(f"/api/pictures/{own}/truth", content=b"Image_Label,EncodedPixels\n"),
        ]
        assert [answer.status_code for answer in tried] == [404] * len(tried)
        assert {answer.json()["error"].partition(";")[0] for answer in tried} == {"there is no such picture"}
        other.delete(f"/api/pictures/{own}")
        assert one.get(f"/api/pictures/{own}/preview").headers["content-type"] == "image/jpeg"


def test_the_oldest_picture_of_a_visitor_is_forgotten(client: httpx2.Client, picture: Path) -> None:
    ids = [bring(client, picture) for _ in range(4)]
    assert [one["id"] for one in client.get("/api/state").json()["pictures"]] == ids[1:]
    assert client.get(f"/api/pictures/{ids[0]}").status_code == 404


def test_a_picture_is_forgotten_when_asked_to(client: httpx2.Client, picture: Path) -> None:
    own = bring(client, picture)
    assert client.delete(f"/api/pictures/{own}").status_code == 204
    assert client.get(f"/api/pictures/{own}").status_code == 404


@pytest.mark.parametrize(
    ("name", "image_id"),
    [("../../etc/a.jpg", "a.jpg"), ("C:\\clouds\\a.jpg", "a.jpg"), ("..\\a.jpg", "a.jpg"), ("", "picture")],
)
def test_a_name_keeps_only_its_end(client: httpx2.Client, picture: Path, name: str, image_id: str) -> None:
    answer = client.post("/api/pictures", params={"name": name}, content=picture.read_bytes())
    assert answer.json()["image_id"] == image_id


def test_where_all_have_too_many_whoever_has_most_loses_the_oldest() -> None:
    store, greedy, modest = PictureStore(per_visitor=3, in_all=4), new_session(), new_session()
    store.put(modest, named("modest"))
    for name in ("first", "second", "third"):
        store.put(greedy, named(name))
    store.put(modest, named("modest too"))
    assert names(store, greedy) == ["second", "third"]
    assert names(store, modest) == ["modest", "modest too"]


def test_a_picture_that_was_forgotten_meanwhile_takes_no_truth() -> None:
    store, session = PictureStore(1, 1), new_session()
    gone = store.put(session, BLANK)
    store.put(session, BLANK)
    with pytest.raises(RequestError, match="no such picture"):
        store.annotate(session, gone, None)
