"""New ids, sortable by their time: UUID version 7 (RFC 9562), which Python itself makes from 3.14 on only."""

import os
import time


def new_id() -> str:
    moment, random = f"{time.time_ns() // 1_000_000:012x}", os.urandom(10).hex()
    variant = "89ab"[int(random[3], 16) & 3]
    return f"{moment[:8]}-{moment[8:]}-7{random[:3]}-{variant}{random[4:7]}-{random[7:19]}"
