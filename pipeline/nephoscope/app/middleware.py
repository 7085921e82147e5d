"""Which requests are let in, and what every answer carries: hosts, origins, headers that browsers obey."""

from collections.abc import Collection
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nephoscope.app.errors import to_response

CHANGING = ("POST", "PUT", "PATCH", "DELETE")
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class AccessGuard:
    """Stands before the application.

    A page elsewhere may send a browser here: by a name of its own that it lets point at this machine (then the Host is
    not ours), or from its own origin (then the Origin is not ours). Programs send no Origin.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None) -> None:
        """`hosts`: names under which the server may be asked for; None: any."""
        self._app = app
        self._hosts = None if hosts is None else {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                # What belongs to a visitor is kept by nobody on the way; the page asks whether its files are new.
                headers["Cache-Control"] = "no-store" if scope["path"].startswith("/api/") else "no-cache"
            await send(message)

        refusal = self._refuse(scope["method"], Headers(scope=scope))
        answer = to_response(HTTPStatus.FORBIDDEN, refusal) if refusal else self._app
        await answer(scope, receive, send_guarded)

    def _refuse(self, method: str, headers: Headers) -> str:
        host = headers.get("host", "").lower()
        if self._hosts is not None and _name_of(host) not in self._hosts:
            return f"this server is not {host!r}; `nephoscope serve --allow-host` lets a further name in"
        origin = headers.get("origin")
        foreign = origin is not None and origin.lower().partition("://")[2] != host
        if method in CHANGING and (foreign or headers.get("sec-fetch-site") in ("cross-site", "same-site")):
            return "the request comes from another origin; only the server's own page and programs may send"
        return ""


def _name_of(host: str) -> str | None:
    """Without its port.

    >>> _name_of("[::1]:8000")
    '::1'
    """
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
