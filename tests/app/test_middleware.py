"""Requests are allowed under names of this server, from its own page and from programs."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nephoscope.app.options import Address, Limits, choose_token
from nephoscope.app.server import bind, build_app
from nephoscope.app.state import AppState, Pool
from nephoscope.errors import UserError
from tests.builders.app_server import running


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[::1"])
def test_a_foreign_host_name_is_rejected(client: httpx2.Client, host: str) -> None:
    response = client.get("/", headers={"host": host})
    assert response.status_code == 403
    assert "--allow-host" in response.json()["error"]


@pytest.mark.parametrize("host", ["localhost:1", "LOCALHOST", "[::1]:8000", "127.0.0.1"])
def test_names_of_this_machine_are_allowed(client: httpx2.Client, host: str) -> None:
    assert client.get("/api/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/api/predict", "/api/pictures?name=a.jpg"])
def test_other_sites_cannot_send_data(client: httpx2.Client, path: str, headers: dict[str, str]) -> None:
    response = client.post(path, content=b"no picture", headers=headers)
    assert (response.status_code, "another origin" in response.json()["error"]) == (403, True)


def test_the_own_page_can_send_data(client: httpx2.Client) -> None:
    own = str(client.base_url).rstrip("/")
    for headers in ({"origin": own}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}):
        assert client.post("/api/predict", content=b"no picture", headers=headers).status_code == 415


@pytest.mark.parametrize("path", ["/", "/api/state", "/api/nothing", "/static/app.js"])
def test_every_response_has_security_headers(client: httpx2.Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'self'; img-src 'self' data: blob:")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == ("no-store" if path.startswith("/api/") else "no-cache")


def test_files_outside_static_cannot_be_read(client: httpx2.Client) -> None:
    assert client.get("/static/../server.py").status_code == 404
    assert client.get("/static/%2e%2e/server.py").status_code == 404


def test_every_address_but_loopback_gives_a_warning() -> None:
    assert {Address(host).warning for host in ("127.0.0.1", "localhost", "::1", "127.0.0.2")} == {""}
    assert "without password and encryption" in Address("0.0.0.0").warning
    assert "without encryption" in Address("0.0.0.0", token=TOKEN).warning


def test_allowed_names_are_loopback_the_host_and_added_names() -> None:
    assert set(Address().allowed or ()) == {"127.0.0.1", "localhost", "::1"}
    assert "clouds.example" in (Address(names=("clouds.example",)).allowed or ())
    assert "10.1.2.3" in (Address("10.1.2.3").allowed or ())
    assert Address("0.0.0.0").allowed is None
    assert "other.example" not in (Address("0.0.0.0", names=("clouds.example",)).allowed or ())


def test_a_port_in_use_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port}.*choose another --port"):
            bind(Address(port=port))


def test_an_unexpected_failure_gives_json(opened: AppState, picture: Path) -> None:
    class Broken:
        metadata = opened.model.metadata

    with running(replace(opened, model=Broken())) as address:
        response = httpx2.post(f"{address}/api/predict", content=picture.read_bytes())
    assert (response.status_code, response.json()) == (500, {"error": "the server failed on this request; see its log"})
    assert response.headers["x-content-type-options"] == "nosniff"


KINDS = pytest.mark.parametrize("kind", ["image/jpeg", "multipart/form-data; boundary=x"])


def post(app: ASGIApp, receive: Receive, kind: str = "image/jpeg") -> tuple[int, dict[str, str]]:
    """Send a request to the application itself; its status and headers."""
    headers = {"host": "localhost", "content-type": kind, "content-length": "100000"}
    scope: Scope = {"type": "http", "method": "POST", "path": "/api/predict", "query_string": b""}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    start, *_ = sent
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}


@KINDS
def test_an_interrupted_upload_is_not_a_server_failure(opened: AppState, kind: str) -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    assert post(build_app(opened, None), receive, kind)[0] == 400


class SlowBody:
    """Receives every part after so many seconds, by a clock of its own; None: nothing arrives."""

    def __init__(self, *parts: tuple[float, bytes | None]) -> None:
        self.parts, self.now = iter(parts), 0.0

    def send_to(self, app: ASGIApp) -> ASGIApp:
        """The application, in a loop that has this clock."""

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            asyncio.get_running_loop().time = lambda: self.now  # type: ignore[method-assign]
            await app(scope, receive, send)

        return call

    async def __call__(self) -> Message:
        seconds, part = next(self.parts, (0, b""))
        self.now += seconds
        await asyncio.sleep(0)  # the loop sees the time, and
        await asyncio.sleep(0)  # here a timeout ends it
        if part is None:
            self.now += 1000
            await asyncio.Event().wait()
        return {"type": "http.request", "body": part, "more_body": bool(part)}


@KINDS
@pytest.mark.parametrize("parts", [[None], [b"--x\r\n", None]])
def test_a_stalled_upload_ends(opened: AppState, kind: str, parts: list[bytes | None]) -> None:
    body = SlowBody(*((1, part) for part in parts))
    status, headers = post(body.send_to(build_app(opened, None)), body, kind)
    assert (status, headers["connection"]) == (408, "close")


@pytest.mark.parametrize(("part", "status"), [(b"a", 408), (b"a" * 5_000, 408), (b"a" * 9_000, 415)])
def test_an_upload_must_have_the_slowest_rate(opened: AppState, part: bytes, status: int) -> None:
    limits, state = Limits(patience=20, slowest_rate=10_000), replace(opened, pool=Pool(threads=1, waiting=0))
    body = SlowBody(*[(1, part)] * 60)
    assert post(body.send_to(build_app(state, None, limits=limits)), body)[0] == status
    state.pool.close()


def test_a_fast_beginning_buys_no_pause(opened: AppState) -> None:
    body = SlowBody((1, b"a" * 500_000), (21, b"a"))
    assert post(body.send_to(build_app(opened, None)), body)[0] == 408


@KINDS
def test_an_upload_that_the_end_of_the_server_cuts_can_be_sent_again(opened: AppState, kind: str) -> None:
    async def receive() -> Message:
        task = asyncio.current_task()
        assert task
        task.cancel()  # as the server does, some seconds after SIGTERM
        await asyncio.sleep(0)
        raise AssertionError

    status, headers = post(build_app(opened, None), receive, kind)
    assert (status, headers["retry-after"]) == (503, "2")


def test_connections_send_small_packets_at_once() -> None:
    with bind(Address(port=0)) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_form_of_unknown_length_is_rejected(opened: AppState) -> None:
    """Also if it states a length and then sends chunks."""
    boundary = "x"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'.encode()

    def form() -> Iterator[bytes]:
        yield head + bytes(1000)

    with running(opened) as address:
        for lying in ({}, {"content-length": "10"}):
            headers = {"content-type": f"multipart/form-data; boundary={boundary}", "transfer-encoding": "chunked"}
            response = httpx2.post(f"{address}/api/predict", content=form(), headers=headers | lying)
            assert response.status_code in (400, 411)


@pytest.mark.parametrize("origin", ["http://[x", "null", "http://elsewhere.example"])
def test_malformed_and_other_origins_are_rejected(opened: AppState, picture: Path, origin: str) -> None:
    with running(opened) as address:
        response = httpx2.post(f"{address}/api/predict", content=picture.read_bytes(), headers={"origin": origin})
    assert response.status_code == 403


TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def guarded(opened: AppState) -> Iterator[str]:
    with running(opened, token=TOKEN) as address:
        yield address


@pytest.mark.parametrize(
    "path", ["/api/state", "/api/health", "/api/openapi.json", "/api/nothing", "/api/state?token=" + TOKEN]
)
@pytest.mark.parametrize("given", ["", "Bearer", "Bearer no", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ä"])
def test_without_the_token_the_api_is_closed(guarded: str, path: str, given: str) -> None:
    response = httpx2.get(f"{guarded}{path}", headers={"authorization": given.encode()})
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert "open the address that `nephoscope serve` printed" in response.json()["error"]
    assert response.headers["x-content-type-options"] == "nosniff"


def test_programs_send_the_token_in_a_header(guarded: str) -> None:
    response = httpx2.get(f"{guarded}/api/health", headers={"authorization": f"bearer {TOKEN}"})
    assert response.status_code == 200


def test_a_browser_gets_a_cookie_for_the_token(guarded: str) -> None:
    with httpx2.Client(base_url=guarded) as browser:
        first = browser.get("/", params={"token": TOKEN})
        assert (first.status_code, first.headers["location"]) == (303, "/")
        assert {"HttpOnly", "SameSite=strict"} <= set(first.headers["set-cookie"].split("; "))
        assert browser.get("/api/state").status_code == 200


def test_a_wrong_token_opens_only_the_page(guarded: str) -> None:
    with httpx2.Client(base_url=guarded) as browser:
        page = browser.get("/", params={"token": TOKEN[:-1]})
        assert (page.status_code, "set-cookie" in page.headers) == (200, False)
        assert browser.get("/static/app.js").status_code == 200
        assert browser.get("/api/state").status_code == 401


def test_only_servers_that_others_can_reach_have_a_token_by_default() -> None:
    assert {choose_token(host, "", no_token=False) for host in ("127.0.0.1", "::1", "localhost")} == {""}
    first, second = (choose_token("0.0.0.0", "", no_token=False) for _ in range(2))
    assert len(first) >= 32
    assert first != second
    assert choose_token("0.0.0.0", "", no_token=True) == ""
    assert choose_token("127.0.0.1", TOKEN, no_token=False) == TOKEN


@pytest.mark.parametrize(
    ("token", "no_token", "message"),
    [
        (TOKEN, True, "exclude each other"),
        ("short", False, "16 to 200 letters"),
        ("; ä" * 9, False, "16 to 200 letters"),
    ],
)
def test_a_token_that_cannot_be_used_is_rejected(token: str, no_token: bool, message: str) -> None:
    with pytest.raises(UserError, match=message):
        choose_token("0.0.0.0", token, no_token)
