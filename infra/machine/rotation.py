"""Log files of bounded size, readable by their owner only: at most three files of 10 MB each.

A file that servers write through an inherited descriptor is copied and emptied. The functions' log has one writer.
It is renamed, so that readers miss nothing.
"""

import logging
import os
import shutil
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import BinaryIO, TextIO, cast

LIMIT_BYTES = 10 * 2**20
OLDER_FILES = 2  # `.1` is the newer one


class RotatingLog:
    """A file for one writing process. A new file begins when the next line would exceed the limit."""

    def __init__(self, path: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        open_private(path).close()
        self._handler = RotatingFileHandler(path, maxBytes=limit_bytes, backupCount=OLDER_FILES, encoding="utf-8")
        self._handler.rotator = _rename
        self._handler.terminator = ""

    def write(self, text: str) -> None:
        """Append whole lines, from any thread."""
        self._handler.handle(logging.makeLogRecord({"msg": text}))

    def close(self) -> None:
        self._handler.close()


def _rename(source: str, target: str) -> None:
    """Rename the file, and create the next one for its owner only."""
    Path(source).rename(target)
    open_private(Path(source)).close()


def open_private(path: Path) -> BinaryIO:
    """Open for appending, as a file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "ab")


def truncate_large(log: Path, limit_bytes: int = LIMIT_BYTES) -> bool:
    """Copy and empty a file that other processes append to, if it is too large. Returns whether it was.

    The writers keep their descriptors. A line that is written between the two steps is lost.
    """
    if not log.exists() or log.stat().st_size < limit_bytes:
        return False
    for number in range(OLDER_FILES - 1, 0, -1):
        if older_file(log, number).exists():
            older_file(log, number).replace(older_file(log, number + 1))
    with log.open("rb") as source, open_private(older_file(log, 1)) as target:
        shutil.copyfileobj(source, target)
    os.truncate(log, 0)
    return True


def begin(log: Path) -> None:
    """Delete the logs of earlier runs, and create an empty file."""
    for path in (log, *(older_file(log, number) for number in range(1, OLDER_FILES + 1))):
        path.unlink(missing_ok=True)
    open_private(log).close()


def older_file(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")


def open_all(log: Path) -> list[TextIO]:
    """The log's files, oldest first. They are opened newest first, so that a rotation in between hides none."""
    opened: list[TextIO] = []
    known: set[int] = set()
    for path in (log, *(older_file(log, number) for number in range(1, OLDER_FILES + 1))):
        try:
            file = cast("TextIO", path.open(encoding="utf-8", errors="replace"))
        except FileNotFoundError:
            continue
        if _inode(file) in known:
            file.close()
        else:
            known.add(_inode(file))
            opened.append(file)
    return opened[::-1]


def is_renamed(log: Path, file: TextIO) -> bool:
    """Whether a rotation has replaced this file, so that it gets no more lines."""
    try:
        return log.stat().st_ino != _inode(file)
    except FileNotFoundError:
        return False  # during a rotation


def next_file(log: Path, file: TextIO) -> TextIO:
    """The file after this one, which gets closed. If this one is already deleted, the oldest file."""
    files = open_all(log)
    inodes = [_inode(one) for one in files]
    chosen = inodes.index(_inode(file)) + 1 if _inode(file) in inodes else 0
    for number, one in enumerate(files):
        if number != chosen:
            one.close()
    if chosen >= len(files):
        return file
    file.close()
    return files[chosen]


def _inode(file: TextIO) -> int:
    return os.fstat(file.fileno()).st_ino
