"""Threads for work that takes its time, and a bound on how much of it may wait."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import Any, TypeVar

from pipeline.delivery.app.refusal import RefusalError

T = TypeVar("T")
RETRY_AFTER = 2  # seconds


class Pool:
    def __init__(self, threads: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(threads, "networks")
        self._places = BoundedSemaphore(threads + waiting)

    async def run(self, call: Callable[..., T], *given: Any) -> T:
        """The result of the call; refused at once where too many wait already."""
        if not self._places.acquire(blocking=False):
            message = "the server is busy with other pictures; try again in a moment"
            raise RefusalError(HTTPStatus.SERVICE_UNAVAILABLE, message, {"Retry-After": str(RETRY_AFTER)})
        future = self._threads.submit(call, *given)
        # The place is free when the thread is, not when the visitor goes away.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
