"""Clients that send nothing, or slowly, or read nothing, cannot hold the server."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx2
import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from nephoscope.app.connections import Connection, choose_closed, name_client
from nephoscope.app.options import Address, Limits
from nephoscope.app.server import make_server
from nephoscope.app.state import AppState

LIMITS = Limits(connections=4, per_client=2, patience=20, slowest_rate=1000)
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Clock:
    """A loop whose time stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def time(self) -> float:
        return self.now

    def call_later(self, *_: object) -> None:
        """uvicorn closes idle connections after five seconds, but every byte stops that."""


class Wire:
    """A transport to a client that reads nothing by itself."""

    def __init__(self, host: str) -> None:
        self.host, self.unread, self.aborted = host, 0, False

    def get_extra_info(self, name: str) -> object:
        return (self.host, 50_000) if name in ("peername", "sockname") else None

    def get_write_buffer_size(self) -> int:
        return self.unread

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class Cycle:
    """A request that is in progress until its response is complete."""

    def __init__(self) -> None:
        self.response_complete = False


class Stage:
    """Connections of one server, with a clock and wires that a test controls."""

    def __init__(self) -> None:
        self.clock, self.state = Clock(), ServerState()
        self.config = Config(lambda: None, ws="none", factory=False)
        self.config.load()

    def connect(self, host: str = "10.0.0.1", busy: bool = False) -> Connection:
        self.clock.now += 1
        connection = Connection(LIMITS, config=self.config, server_state=self.state, app_state={}, _loop=self.clock)
        connection.connection_made(Wire(host))  # type: ignore[arg-type]
        if busy:
            connection.cycle = Cycle()  # type: ignore[assignment]
        return connection

    def check_after(self, seconds: float, connection: Connection) -> bool:
        """Whether the connection is closed when it is checked so much later."""
        self.clock.now += seconds
        connection.close_if_held()
        return was_closed(connection)


def was_closed(connection: Connection) -> bool:
    assert isinstance(connection.transport, Wire)
    return connection.transport.aborted


def set_unread(connection: Connection, count: int) -> None:
    assert isinstance(connection.transport, Wire)
    connection.transport.unread = count


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_silent_connection_ends(stage: Stage) -> None:
    connection = stage.connect()
    assert not stage.check_after(19, connection)
    assert stage.check_after(2, connection)


def test_the_server_checks_its_connections_every_second(stage: Stage, opened: AppState) -> None:
    server, connection = make_server(opened, Address(port=0)), stage.connect()
    server.config.load()
    server.server_state.connections.add(connection)
    stage.clock.now += 21
    for tick in range(1, 11):
        assert not was_closed(connection)
        asyncio.run(server.on_tick(tick))
    assert was_closed(connection)


def test_headers_that_arrive_byte_by_byte_do_not_keep_a_connection(stage: Stage) -> None:
    connection = stage.connect()
    closed = []
    for position in range(len(REQUEST) - 1):
        connection.data_received(REQUEST[position : position + 1])
        closed.append(stage.check_after(1, connection))
    assert (closed[18], closed[21]) == (False, True)


def test_a_connection_lasts_while_the_server_works_on_its_request(stage: Stage) -> None:
    connection = stage.connect(busy=True)
    assert not any(stage.check_after(1, connection) for _ in range(100))


def test_time_begins_anew_after_a_response(stage: Stage) -> None:
    connection = stage.connect(busy=True)
    stage.check_after(100, connection)
    connection.cycle.response_complete = True
    assert not stage.check_after(19, connection)
    assert stage.check_after(2, connection)


@pytest.mark.parametrize("event", ["on_response_complete", "resume_writing"])
def test_time_begins_anew_between_two_checks_too(stage: Stage, event: str) -> None:
    connection = stage.connect()
    stage.clock.now += 15
    getattr(connection, event)()
    assert not stage.check_after(15, connection)


def test_time_begins_anew_when_a_small_response_is_read(stage: Stage) -> None:
    connection = stage.connect()
    set_unread(connection, 1_000)
    stage.check_after(15, connection)
    set_unread(connection, 0)
    stage.check_after(1, connection)
    assert not stage.check_after(15, connection)


def test_a_client_that_reads_no_response_is_closed(stage: Stage) -> None:
    connection = stage.connect(busy=True)
    set_unread(connection, 50_000)
    assert not any(stage.check_after(1, connection) for _ in range(20))
    assert stage.check_after(1, connection)


@pytest.mark.parametrize(("rate", "closed"), [(500, True), (1500, False)])
def test_a_response_must_be_read_at_the_slowest_rate(stage: Stage, rate: int, closed: bool) -> None:
    connection = stage.connect(busy=True)
    for unread in range(150_000, -1, -rate):
        set_unread(connection, unread)
        stage.check_after(1, connection)
    assert was_closed(connection) == closed


def test_the_longest_idle_connection_of_a_client_makes_room_for_its_next(stage: Stage) -> None:
    other = stage.connect("10.0.0.2")
    first, second, third = (stage.connect() for _ in range(3))
    assert [was_closed(connection) for connection in (other, first, second, third)] == [False, True, False, False]
    assert first not in stage.state.connections


def test_the_client_with_most_connections_makes_room_for_others(stage: Stage) -> None:
    first, second = stage.connect("10.0.0.1"), stage.connect("10.0.0.1")
    others = [stage.connect(f"10.0.1.{number}") for number in range(3)]
    assert [was_closed(connection) for connection in (first, second, *others)] == [True, *[False] * 4]


def test_a_connection_with_a_request_never_makes_room(stage: Stage) -> None:
    busy, unread = stage.connect(busy=True), stage.connect(busy=True)
    unread.cycle.response_complete = True
    set_unread(unread, 10)
    newcomer = stage.connect()
    assert choose_closed(stage.state.connections, newcomer, LIMITS) is newcomer  # type: ignore[arg-type]
    assert not any(was_closed(connection) for connection in (busy, unread, newcomer))


def test_connections_of_one_ipv6_network_are_of_one_client() -> None:
    names = {name_client(host) for host in ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2")}
    assert names == {"2001:db8:0:1::"}
    assert name_client("2001:db8:0:2::1") not in names
    assert name_client("::ffff:10.0.0.1") == name_client("10.0.0.1")


@contextmanager
def connected(server: str, host: str = "127.0.0.1", sent: bytes = b"") -> Iterator[socket.socket]:
    """A connection from another address of this machine."""
    address = httpx2.URL(server)
    with socket.create_connection((address.host, address.port), timeout=60, source_address=(host, 0)) as connection:
        connection.sendall(sent)
        yield connection


def test_silent_connections_keep_nobody_out(server: str) -> None:
    with ExitStack() as opened:
        for _ in range(Limits.connections + 1):
            opened.enter_context(connected(server))
        assert httpx2.get(f"{server}/api/health").status_code == 200


UPLOAD = b"POST /api/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
"""Without its body. The server asks for it as soon as it works on the request."""


def test_a_client_with_too_many_uploads_is_told_and_others_are_not(server: str) -> None:
    with ExitStack() as opened:
        for _ in range(Limits.per_client):
            upload = opened.enter_context(connected(server, "127.0.0.2", UPLOAD))
            assert upload.recv(1000).startswith(b"HTTP/1.1 100")
        refused = opened.enter_context(connected(server, "127.0.0.2", REQUEST)).recv(1000)
        other = opened.enter_context(connected(server, "127.0.0.3", REQUEST)).recv(1000)
    assert refused.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 2" in refused.lower()
    assert other.startswith(b"HTTP/1.1 200")
