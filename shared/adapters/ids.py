"""New ids, sortable by their time: UUID version 7 (RFC 9562), which Python itself makes from 3.14 on only."""

import os
import time
from collections.abc import Iterator

_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def new_id() -> str:
    return next(new_ids(1))


def new_ids(most: int) -> Iterator[str]:
    """So many at most, of this moment: to ask for their randomness at once is much cheaper than for each."""
    moment, random = f"{time.time_ns() // 1_000_000:012x}", os.urandom(10 * most).hex()
    begin = f"{moment[:8]}-{moment[8:]}-7"
    for at in range(0, 20 * most, 20):
        yield (
            f"{begin}{random[at : at + 3]}-{_VARIANTS[random[at + 3]]}{random[at + 4 : at + 7]}"
            f"-{random[at + 7 : at + 19]}"
        )
