"""A real server in a thread of this process: for tests, benchmarks and screenshots."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.delivery.app.desk import Desk
from pipeline.delivery.app.options import Address
from pipeline.delivery.app.serving import bind, make_server

PATIENCE = 60  # seconds


@contextmanager
def running(desk: Desk) -> Iterator[str]:
    """Its address, as long as the block lasts."""
    address, ready = Address(port=0), threading.Event()
    bound = bind(address)
    server = make_server(desk, address, ready.set)
    thread = threading.Thread(target=server.run, args=([bound],))
    thread.start()
    try:
        if not ready.wait(PATIENCE):
            raise TimeoutError(f"the server did not answer within {PATIENCE} seconds")
        yield f"http://{address.host}:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
