"""Connections: a client has a bounded number of them, and each only while it sends and reads.

Without bounds, 64 connections that send nothing, or a byte now and then, would keep everybody else out.
"""

import asyncio
from collections import Counter
from collections.abc import Collection
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import Any, cast

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from nephoscope.app.errors import to_response
from nephoscope.app.options import Limits


class Connection(H11Protocol):
    """An HTTP connection that ends if its client keeps the server waiting.

    It bounds the time for headers, between requests, and until a response is read. For bodies of requests see
    `nephoscope.app.middleware.UploadGuard`, which can still send a response.
    """

    def __init__(self, limits: Limits, **options: Any) -> None:
        super().__init__(**options)
        self._limits = limits
        self.client_name = ""
        self.waiting_since = self.loop.time()
        """When the client last did what the server waits for."""
        self._unread = 0
        """Bytes of responses that were not sent, at the last progress of the client."""

    @property
    def is_idle(self) -> bool:
        """Between requests or within headers, and everything was read: nothing is lost if it closes."""
        idle = self.cycle is None or self.cycle.response_complete
        return idle and not self.transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.client_name = name_client(self.client[0] if self.client else "")
        connections = cast("set[Connection]", self.connections)  # all of this server
        closed = choose_closed(connections, self, self._limits)
        if closed is self:
            self.app = _refuse
        elif closed is not None:
            connections.discard(closed)
            closed.transport.abort()

    def on_response_complete(self) -> None:
        self.waiting_since = self.loop.time()
        super().on_response_complete()

    def resume_writing(self) -> None:
        self.waiting_since = self.loop.time()
        super().resume_writing()

    def close_if_held(self) -> None:
        """Close it if the client did nothing for too long. The server calls this every second."""
        now = self.loop.time()
        if self._is_at_work() or self._has_read():
            self.waiting_since = now
        elif now - self.waiting_since > self._limits.patience:
            self.transport.abort()  # `close` would wait until everything was read

    def _is_at_work(self) -> bool:
        """Whether a request is being read or processed."""
        return not self.is_idle and not self.transport.get_write_buffer_size()

    def _has_read(self) -> bool:
        """Whether the client has read enough, or all, since its last progress."""
        unread = self.transport.get_write_buffer_size()
        enough = self._unread - self._limits.slowest_rate * self._limits.patience
        progress = unread <= enough or unread == 0 < self._unread
        if progress or unread > self._unread:
            self._unread = unread
        return progress


def choose_closed(connections: Collection[Connection], newcomer: Connection, limits: Limits) -> Connection | None:
    """The connection that must go because of a new one; None if there is room.

    A client with too many connections loses one of its own. If there are too many in all, the client with the most
    loses one. The one that is idle longest goes. If none is idle, it is the newcomer.
    """
    counts = Counter(connection.client_name for connection in connections)
    if counts[newcomer.client_name] > limits.per_client:
        crowd = newcomer.client_name
    elif counts.total() > limits.connections:
        crowd = counts.most_common(1)[0][0]
    else:
        return None
    others = (
        connection for connection in connections if connection.client_name == crowd and connection is not newcomer
    )
    idle = (connection for connection in others if connection.is_idle)
    return min(idle, key=lambda connection: connection.waiting_since, default=newcomer)


def name_client(host: str) -> str:
    """The address by which a client is counted. For IPv6 it is the network, because a client may use all of it.

    >>> name_client("2001:db8::1") == name_client("2001:db8::ffff:2"), name_client("::ffff:10.0.0.1")
    (True, '10.0.0.1')
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    message = "too many connections are open; try again in a moment"
    headers = {"Retry-After": "2", "Connection": "close"}
    await to_response(HTTPStatus.SERVICE_UNAVAILABLE, message, headers)(scope, receive, send)
