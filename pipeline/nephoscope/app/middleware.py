"""Middleware in front of the application: which requests are allowed, how slow an upload may be, security headers."""

import asyncio
import secrets
from collections.abc import Collection
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nephoscope.app.errors import RequestError, to_response
from nephoscope.app.options import Limits

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


TOKEN_COOKIE = "nephoscope_token"


class TokenGuard:
    """Rejects requests to the API without the token.

    Programs send it in the header Authorization. A browser opens /?token=…, gets a cookie and is sent on, so that the
    token does not stay in the address. The page itself holds no data; without the token it shows the error.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            request = HTTPConnection(scope)
            if request.url.path == "/" and self._is_right(request.query_params.get("token", "")):
                app = RedirectResponse("/", HTTPStatus.SEE_OTHER)
                app.set_cookie(TOKEN_COOKIE, self._token.decode(), httponly=True, samesite="strict")
            elif scope["path"].startswith("/api/") and not self._has_token(request):
                message = "the token is missing or wrong; open the address that `nephoscope serve` printed"
                app = to_response(HTTPStatus.UNAUTHORIZED, message, {"WWW-Authenticate": "Bearer"})
        await app(scope, receive, send)

    def _has_token(self, request: HTTPConnection) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_right(given.strip()):
            return True
        return self._is_right(request.cookies.get(TOKEN_COOKIE, ""))

    def _is_right(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self._token)  # takes the same time for every wrong token


class UploadGuard:
    """Ends uploads that stall or crawl, and sends status 503 if the server stops during a request."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        responded = False

        async def send_and_note(message: Message) -> None:
            nonlocal responded
            responded = True
            await send(message)

        timed = _TimedBody(receive, self._limits) if scope["type"] == "http" else receive
        try:
            await self._app(scope, timed, send_and_note)
        except asyncio.CancelledError:
            if responded or scope["type"] != "http":
                raise
            headers = {"Retry-After": "2", "Connection": "close"}
            error = to_response(HTTPStatus.SERVICE_UNAVAILABLE, "the server stops; send the request again", headers)
            await error(scope, receive, send)


class _TimedBody:
    """Receives a body; a RequestError if the next part takes too long, or all of it for its size."""

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self._receive, self._limits = receive, limits
        self._began = asyncio.get_running_loop().time()
        self._size = 0
        self._is_complete = False

    async def __call__(self) -> Message:
        if self._is_complete:  # then the only message left is the end of the connection
            return await self._receive()
        elapsed = asyncio.get_running_loop().time() - self._began
        left = self._limits.patience + self._size / self._limits.slowest_rate - elapsed
        try:
            async with asyncio.timeout(min(left, self._limits.patience)):
                message = await self._receive()
        except TimeoutError:
            text = "the upload is too slow or has stalled; send it again over a faster connection"
            # Otherwise the rest of the body would have to be read before the next request.
            raise RequestError(HTTPStatus.REQUEST_TIMEOUT, text, {"Connection": "close"}) from None
        self._size += len(message.get("body", b""))
        self._is_complete = not message.get("more_body", False)
        return message
