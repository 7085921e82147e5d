"""Options of `nephoscope serve`. No package of the extra `app` is imported, so the command line can show its help."""

import re
import secrets
from dataclasses import dataclass

from nephoscope.errors import UserError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANYWHERE = ("0.0.0.0", "::")


@dataclass(frozen=True)
class Bounds:
    max_megabytes: float = 20
    per_visitor: int = 24
    in_all: int = 240
    waiting: int = 16
    """images that may wait for the networks"""


@dataclass(frozen=True)
class Limits:
    """How many connections are open at once, and how long a client may keep the server waiting."""

    connections: int = 64
    """Each may be uploading a file."""
    per_client: int = 16
    """Browsers open six. Behind a proxy, all visitors together are one client."""
    patience: float = 20
    """Seconds to send headers, to send the next part of a body, and to read the next part of a response."""
    slowest_rate: float = 5_000
    """Bytes per second of a body or a response, after the time of patience."""


@dataclass(frozen=True)
class Address:
    host: str = "127.0.0.1"
    port: int = 8000
    """0: any free port"""
    names: tuple[str, ...] = ()
    """further host names of this server"""
    token: str = ""
    """that requests must have; empty: none"""

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def allowed(self) -> tuple[str, ...] | None:
        """Host names that requests may use; None: any, for a server that listens on all addresses."""
        if self.host in ANYWHERE and not self.names:
            return None
        return (*LOOPBACK, self.host, *self.names)

    @property
    def warning(self) -> str:
        """Empty if only this machine can reach the server."""
        if self.is_loopback:
            return ""
        missing, added = ("encryption", "it") if self.token else ("password and encryption", "both")
        return (
            f"warning: other machines can reach {self.host}, without {missing}; "
            f"put a proxy with {added} in front of it, and allow the host name of the proxy with --allow-host"
        )


def is_loopback(host: str) -> bool:
    return host in LOOPBACK or host.startswith("127.")


TOKEN = re.compile(r"[\w-]{16,200}", re.ASCII)


def choose_token(host: str, token: str, no_token: bool) -> str:
    """The token of the options; if other machines can reach the host, a random one; empty: none.

    >>> choose_token("127.0.0.1", "", no_token=False)
    ''
    """
    if token and no_token:
        raise UserError("--token (or NEPHOSCOPE_TOKEN) and --no-token exclude each other; remove one")
    if token and not TOKEN.fullmatch(token):
        raise UserError("--token: expected 16 to 200 letters, digits, - or _; leave it out for a random one")
    if token or no_token or is_loopback(host):
        return token
    return secrets.token_urlsafe(24)
