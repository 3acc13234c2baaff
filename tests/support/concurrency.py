"""Runs several writers at the same time."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any


def together(workers: list[Callable[[], None]]) -> None:
    barrier = threading.Barrier(len(workers))
    failures: list[BaseException] = []

    def run(worker: Callable[[], None]) -> None:
        barrier.wait()
        try:
            worker()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=[worker]) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []


def without_version(call: Any) -> Any:
    return replace(call, version=0)
