"""Sessions of visitors, and the store of their pictures, which lives in memory only."""

import re
import secrets
from collections import Counter
from dataclasses import replace
from http import HTTPStatus
from threading import Lock
from typing import Annotated

from fastapi import Cookie, Depends, Response

from nephoscope.app.errors import RequestError
from nephoscope.app.pictures import Masks, Picture

SESSION_BYTES, ID_BYTES = 32, 16  # random
SESSION = re.compile(r"[\w-]{43}", re.ASCII)
"""32 bytes as `new_session` writes them"""


def new_session() -> str:
    """A random name that cannot be guessed."""
    return secrets.token_urlsafe(SESSION_BYTES)


class PictureStore:
    """Pictures in memory, found only under the session that uploaded them. The oldest are dropped."""

    def __init__(self, per_visitor: int, in_all: int) -> None:
        self._per_visitor, self._in_all = per_visitor, in_all
        self._pictures: dict[tuple[str, str], Picture] = {}
        """(session, id) → picture, oldest first"""
        self._lock = Lock()

    def put(self, session: str, picture: Picture) -> str:
        """Store the picture and return its id."""
        key = session, secrets.token_urlsafe(ID_BYTES)
        with self._lock:
            self._pictures[key] = picture
            self._drop_excess(session)
        return key[1]

    def get(self, session: str, picture_id: str) -> Picture:
        with self._lock:
            if (session, picture_id) not in self._pictures:
                raise unknown_picture()
            return self._pictures[session, picture_id]

    def of(self, session: str) -> dict[str, Picture]:
        """id → picture of this session, oldest first."""
        with self._lock:
            return {key: picture for (owner, key), picture in self._pictures.items() if owner == session}

    def set_truth(self, session: str, picture_id: str, truth: Masks | None) -> None:
        with self._lock:
            if (session, picture_id) not in self._pictures:
                raise unknown_picture()
            key = session, picture_id
            self._pictures[key] = replace(self._pictures[key], truth=truth)

    def remove(self, session: str, picture_id: str) -> None:
        with self._lock:
            self._pictures.pop((session, picture_id), None)

    def _drop_excess(self, session: str) -> None:
        counts = Counter(owner for owner, _ in self._pictures)
        if counts[session] > self._per_visitor:
            self._drop_oldest(session)
        elif counts.total() > self._in_all:
            # From the visitor with the most pictures, so that uploading many does not drop those of others.
            self._drop_oldest(counts.most_common(1)[0][0])

    def _drop_oldest(self, session: str) -> None:
        del self._pictures[next(key for key in self._pictures if key[0] == session)]


def unknown_picture() -> RequestError:
    return RequestError(HTTPStatus.NOT_FOUND, "no such image; it may have been dropped, so add it again")


COOKIE = "nephoscope"


def _session(response: Response, nephoscope: Annotated[str | None, Cookie(include_in_schema=False)] = None) -> str:
    """Session of the request's cookie; a new one if the cookie is missing or malformed."""
    if nephoscope and SESSION.fullmatch(nephoscope):
        return nephoscope
    session = new_session()
    response.set_cookie(COOKIE, session, httponly=True, samesite="strict")
    return session


Session = Annotated[str, Depends(_session)]
