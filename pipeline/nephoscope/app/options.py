"""What `nephoscope serve` can be told; here, so that the command line knows it without the app's packages."""

from dataclasses import dataclass

LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANYWHERE = ("0.0.0.0", "::")


@dataclass(frozen=True)
class Bounds:
    max_megabytes: float = 20
    per_visitor: int = 24
    in_all: int = 240
    waiting: int = 16
    """pictures that wait for the networks"""


@dataclass(frozen=True)
class Address:
    host: str = "127.0.0.1"
    port: int = 8000
    """0: any that is free"""
    names: tuple[str, ...] = ()
    """further names under which the server may be asked for"""

    @property
    def is_loopback(self) -> bool:
        return self.host in LOOPBACK or self.host.startswith("127.")

    @property
    def allowed(self) -> tuple[str, ...] | None:
        """Names under which the server may be asked for; None: any, for one that listens at all addresses."""
        if self.host in ANYWHERE and not self.names:
            return None
        return (*LOOPBACK, self.host, *self.names)

    @property
    def warning(self) -> str:
        """Empty where nobody but this machine can come."""
        if self.is_loopback:
            return ""
        return (
            f"warning: {self.host} can be reached from other machines, without a password and without encryption; "
            "put a proxy with both before it, and name its host with --allow-host"
        )
