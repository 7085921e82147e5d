"""Requests are allowed under names of this server, from its own page and from programs."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from nephoscope.app.options import Address
from nephoscope.app.server import bind, build_app
from nephoscope.app.state import AppState
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
    "headers", [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
@pytest.mark.parametrize("path", ["/api/predict", "/api/pictures?name=a.jpg"])
def test_other_sites_cannot_send_data(client: httpx2.Client, path: str, headers: dict[str, str]) -> None:
    response = client.post(path, content=b"no picture", headers=headers)
    assert (response.status_code, "another origin" in response.json()["error"]) == (403, True)


def test_the_own_page_can_send_data(client: httpx2.Client) -> None:
    own = str(client.base_url).rstrip("/")
    assert client.post("/api/predict", content=b"no picture", headers={"origin": own}).status_code == 415


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
    assert "without password" in Address("0.0.0.0").warning


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


@pytest.mark.parametrize("kind", ["image/jpeg", "multipart/form-data; boundary=x"])
def test_an_interrupted_upload_is_not_a_server_failure(opened: AppState, kind: str) -> None:
    headers = {"host": "localhost", "content-type": kind, "content-length": "1000"}
    scope = {"type": "http", "method": "POST", "path": "/api/predict", "query_string": b""}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    sent = []

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    asyncio.run(build_app(opened, None)(scope, receive, send))  # type: ignore[arg-type]
    assert [message.get("status") for message in sent] == [400, None]


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
