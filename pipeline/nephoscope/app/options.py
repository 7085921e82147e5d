"""Options of `nephoscope serve`. No package of the extra `app` is imported, so the command line can show its help."""

from dataclasses import dataclass

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
class Address:
    host: str = "127.0.0.1"
    port: int = 8000
    """0: any free port"""
    names: tuple[str, ...] = ()
    """further host names of this server"""

    @property
    def is_loopback(self) -> bool:
        return self.host in LOOPBACK or self.host.startswith("127.")

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
        return (
            f"warning: other machines can reach {self.host}, without password and encryption; "
            "put a proxy with both in front of it, and allow the host name of the proxy with --allow-host"
        )
