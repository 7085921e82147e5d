"""A real server in a thread of the test's own process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.delivery.app.desk import Desk
from pipeline.delivery.app.serving import Address, bind, make_server


@contextmanager
def running(desk: Desk) -> Iterator[str]:
    """Its address, as long as the block lasts."""
    address = Address(port=0)
    bound, ready = bind(address), threading.Event()
    server = make_server(desk, address, ready.set)
    thread = threading.Thread(target=server.run, args=([bound],))
    thread.start()
    try:
        assert ready.wait(60)
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
