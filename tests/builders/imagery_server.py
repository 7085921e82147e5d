"""A local server with the documented interfaces of Worldview Snapshots and of GIBS WMS 1.3.0, faults included."""

import socket
import struct
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np

Fault = Literal[
    "busy", "broken", "missing", "truncated", "cut off", "text", "empty", "slow", "reset", "other shape", "endless"
]
LAYERS = {
    *(f"MODIS_{name}_CorrectedReflectance_TrueColor" for name in ("Aqua", "Terra")),
    *(f"VIIRS_{name}_CorrectedReflectance_TrueColor" for name in ("SNPP", "NOAA20", "NOAA21")),
}
EXCEPTION = (
    '<?xml version="1.0"?><ServiceExceptionReport><ServiceException code="{}">{}</ServiceException>'
    "</ServiceExceptionReport>"
)
RETRY_AFTER = "7"


@dataclass
class ImageryService:
    """What the server was asked, and what it shall do wrong."""

    address: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)
    """Parameters of every request, with its path under "path"."""
    faults: defaultdict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    """Day → faults of its next requests; later ones succeed."""
    ended: Event = field(default_factory=Event)

    @property
    def days(self) -> list[str]:
        return [request["TIME"] for request in self.requests]


@contextmanager
def serve_imagery() -> Iterator[ImageryService]:
    """`address` is that of the server; Snapshots lies at /snapshot, WMS at /wms."""
    service = ImageryService()
    handler = type("Handler", (_Handler,), {"service": service})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    service.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        service.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def draw_picture(shape: tuple[int, int], north: float, south: float) -> np.ndarray:
    """Rows become brighter to the north: green is 100 plus the latitude."""
    latitudes = np.linspace(north, south, shape[0])[:, None, None]
    return np.broadcast_to(100 + latitudes, (*shape, 3)).round().astype(np.uint8)


def encode_picture(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def parse_request(path: str, query: dict[str, str]) -> tuple[float, float, float, float]:
    """Check a request as the documents describe it → (south, west, north, east); ValueError names the parameter."""
    expected = {
        "/snapshot": {"REQUEST": "GetSnapshot", "CRS": "EPSG:4326", "FORMAT": "image/jpeg"},
        "/wms": {
            "SERVICE": "WMS", "VERSION": "1.3.0", "REQUEST": "GetMap", "CRS": "EPSG:4326",
            "FORMAT": "image/jpeg", "STYLES": "",
        },
    }[path]  # fmt: skip
    for name, value in expected.items():
        if query.get(name) != value:
            raise ValueError(f"InvalidParameterValue {name}")
    if query["LAYERS"] not in LAYERS:
        raise ValueError("LayerNotDefined")
    if date.fromisoformat(query["TIME"]).isoformat() != query["TIME"]:
        raise ValueError("InvalidDimensionValue TIME")
    if not all(1 <= int(query[name]) <= 8200 for name in ("WIDTH", "HEIGHT")):
        raise ValueError("InvalidParameterValue WIDTH HEIGHT")
    south, west, north, east = map(float, query["BBOX"].split(","))
    if not (-90 <= south < north <= 90 and -180 <= west < east <= 180):
        raise ValueError("InvalidParameterValue BBOX")
    return south, west, north, east


class _Handler(BaseHTTPRequestHandler):
    service: ImageryService

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        self.service.requests.append({"path": parts.path, "agent": self.headers["User-Agent"], **query})
        try:
            south, _, north, _ = parse_request(parts.path, query)
        except (KeyError, ValueError) as error:
            self._send(400, "text/xml", EXCEPTION.format("Invalid", error).encode())
            return
        shape = int(query["HEIGHT"]), int(query["WIDTH"])
        content = encode_picture(draw_picture(shape, north, south))
        faults = self.service.faults[query["TIME"]]
        self._answer(faults.popleft() if faults else None, content, shape)

    def _answer(self, fault: Fault | None, content: bytes, shape: tuple[int, int]) -> None:
        if fault == "busy":
            self._send(503, "text/plain", b"busy", {"Retry-After": RETRY_AFTER})
        elif fault == "broken":
            self._send(500, "text/html", b"<html><title>500</title><p>out of\x1b[31m order</p></html>")
        elif fault == "missing":
            self._send(404, "text/plain", b"no such day")
        elif fault == "truncated":  # the header promises more
            self._send(200, "image/jpeg", content[: len(content) // 2], {"Content-Length": str(len(content))})
        elif fault == "cut off":  # complete HTTP, incomplete JPEG
            self._send(200, "image/jpeg", content[: len(content) // 2])
        elif fault == "text":
            self._send(200, "text/xml", EXCEPTION.format("NoApplicableCode", "Unable to access file").encode())
        elif fault == "empty":
            self._send(200, "image/jpeg", encode_picture(np.zeros((*shape, 3), np.uint8)))
        elif fault == "slow":
            self.service.ended.wait(30)
        elif fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif fault == "other shape":
            self._send(200, "image/jpeg", encode_picture(np.full((64, 64, 3), 90, np.uint8)))
        elif fault == "endless":
            self._send(200, "image/jpeg", content + bytes(1 << 20))
        else:
            self._send(200, "image/jpeg", content)

    def _send(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""
