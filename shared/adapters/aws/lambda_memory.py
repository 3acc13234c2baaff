"""How a function's process keeps its memory. A batch makes many objects that live until it is answered."""

import ctypes
import gc
from contextlib import suppress

# Of mallopt(3): how much free memory at the end of the heap is kept, and from which size on a block is mapped alone.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES, MAPPED_BYTES = 16 * 2**20, 4 * 2**20


def tune_garbage_collection() -> None:
    """They are no cycles: to look for some among them costs a tenth of ingest. So the collector comes by when more than
    a batch's have outlived it, and no later: a runtime may make a cycle of 3 KB for each invocation. And what a batch
    frees the next one takes: to give it back to the system and fetch it again page by page costs a twentieth.
    """
    gc.set_threshold(20_000, 20, 20)
    with suppress(AttributeError):  # elsewhere than on glibc
        malloc = ctypes.CDLL(None)
        malloc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        malloc.mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES)
