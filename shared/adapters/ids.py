"""New ids, sortable by their time: UUID version 7 (RFC 9562), which Python itself makes from 3.14 on only."""

import os
import time

_LOW = (1 << 62) - 1


def new_id() -> str:
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10)) >> 6  # 74 bits
    value = milliseconds << 80 | 7 << 76 | random >> 62 << 64 | 2 << 62 | random & _LOW
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
