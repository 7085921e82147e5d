"""Middleware in front of the application: which requests are allowed, and security headers of every response."""

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
    """Rejects requests that another website makes through a visitor's browser.

    Such a site may point a name of its own at this machine (DNS rebinding): then Host is not a name of this server.
    Or it may send from its own page: then Origin is not this server. Programs send no Origin.

    Starlette's TrustedHostMiddleware checks hosts as well, but older releases reject every IPv6 host, and its answer
    does not say how to allow a name.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None) -> None:
        """`hosts`: names of this server; None: any."""
        self._app = app
        self._hosts = None if hosts is None else {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                # Images of visitors stay out of all caches; browsers check whether the files of the page have changed.
                headers["Cache-Control"] = "no-store" if scope["path"].startswith("/api/") else "no-cache"
            await send(message)

        error = self._find_error(scope["method"], Headers(scope=scope))
        response = to_response(HTTPStatus.FORBIDDEN, error) if error else self._app
        await response(scope, receive, send_with_headers)

    def _find_error(self, method: str, headers: Headers) -> str:
        host = headers.get("host", "").lower()
        if self._hosts is not None and _name_of(host) not in self._hosts:
            return f"{host!r} is not a name of this server; start `nephoscope serve` with --allow-host to add it"
        origin = headers.get("origin")
        foreign = origin is not None and origin.lower().partition("://")[2] != host
        if method in CHANGING and (foreign or headers.get("sec-fetch-site") in ("cross-site", "same-site")):
            return "the request comes from another origin; only the page of this server and programs may send data"
        return ""


def _name_of(host: str) -> str | None:
    """Host header without the port; None if it is malformed.

    >>> _name_of("[::1]:8000")
    '::1'
    """
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
