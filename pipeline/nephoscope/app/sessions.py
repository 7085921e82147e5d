"""The pictures of every visitor, in memory alone: found only under the session that brought them."""

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

SESSION_BYTES, ID_BYTES = 32, 16
SESSION = re.compile(r"[\w-]{43}", re.ASCII)
"""How `new_session` writes 32 bytes."""


def new_session() -> str:
    """A name that nobody guesses."""
    return secrets.token_urlsafe(SESSION_BYTES)


class PictureStore:
    """Keeps so many pictures for each visitor, and in all; the oldest are forgotten."""

    def __init__(self, per_visitor: int, in_all: int) -> None:
        self._per_visitor, self._in_all = per_visitor, in_all
        self._pictures: dict[tuple[str, str], Picture] = {}
        """(session, id) → picture, the oldest first"""
        self._turn = Lock()

    def put(self, session: str, picture: Picture) -> str:
        """Returns the id under which this visitor finds it again."""
        key = session, secrets.token_urlsafe(ID_BYTES)
        with self._turn:
            self._pictures[key] = picture
            self._make_room(session)
        return key[1]

    def get(self, session: str, picture_id: str) -> Picture:
        with self._turn:
            if (session, picture_id) not in self._pictures:
                raise unknown_picture()
            return self._pictures[session, picture_id]

    def of(self, session: str) -> dict[str, Picture]:
        """id → picture, the oldest first."""
        with self._turn:
            return {key: picture for (owner, key), picture in self._pictures.items() if owner == session}

    def annotate(self, session: str, picture_id: str, truth: Masks | None) -> None:
        with self._turn:
            if (session, picture_id) not in self._pictures:
                raise unknown_picture()
            key = session, picture_id
            self._pictures[key] = replace(self._pictures[key], truth=truth)

    def forget(self, session: str, picture_id: str) -> None:
        with self._turn:
            self._pictures.pop((session, picture_id), None)

    def _make_room(self, session: str) -> None:
        counts = Counter(owner for owner, _ in self._pictures)
        if counts[session] > self._per_visitor:
            self._drop_oldest(session)
        elif counts.total() > self._in_all:
            # Of whoever has most: a visitor with many pictures costs no other one theirs.
            self._drop_oldest(counts.most_common(1)[0][0])

    def _drop_oldest(self, session: str) -> None:
        del self._pictures[next(key for key in self._pictures if key[0] == session)]


def unknown_picture() -> RequestError:
    message = "there is no such picture; it may have been forgotten, so give it once more"
    return RequestError(HTTPStatus.NOT_FOUND, message)


COOKIE = "nephoscope"


def _session(response: Response, nephoscope: Annotated[str | None, Cookie(include_in_schema=False)] = None) -> str:
    """The visitor's session; whoever has none is given one."""
    if nephoscope and SESSION.fullmatch(nephoscope):
        return nephoscope
    session = new_session()
    response.set_cookie(COOKIE, session, httponly=True, samesite="strict")
    return session


Session = Annotated[str, Depends(_session)]
