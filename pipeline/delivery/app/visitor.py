"""Who asks: a session in a cookie that no script and no other site can read."""

from typing import Annotated

from fastapi import Cookie, Depends, Response

from pipeline.delivery.app.shelf import SESSION, new_session

COOKIE = "nephoscope"


def _session(response: Response, nephoscope: Annotated[str | None, Cookie(include_in_schema=False)] = None) -> str:
    """The visitor's session; whoever has none is given one."""
    if nephoscope and SESSION.fullmatch(nephoscope):
        return nephoscope
    session = new_session()
    response.set_cookie(COOKIE, session, httponly=True, samesite="strict")
    return session


Session = Annotated[str, Depends(_session)]
