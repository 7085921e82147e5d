"""A running app server for tests, benchmarks and screenshots."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from nephoscope.app.options import Address
from nephoscope.app.server import bind, make_server, url
from nephoscope.app.state import AppState

STARTUP_SECONDS = 60


@contextmanager
def running(state: AppState, token: str = "") -> Iterator[str]:
    """Serve in a thread on a free port; yields the address."""
    address, ready = Address(port=0, token=token), threading.Event()
    listening = bind(address)
    server = make_server(state, address, ready.set)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        if not ready.wait(STARTUP_SECONDS):
            raise TimeoutError(f"the server did not start within {STARTUP_SECONDS} seconds")
        yield url(listening)
    finally:
        server.should_exit = True
        thread.join()
