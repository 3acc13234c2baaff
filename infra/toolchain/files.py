"""Files that builds leave: folders replaced as a whole, and zips that depend on their contents only."""

import contextlib
import secrets
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from infra.toolchain.uv import REPOSITORY

BUILD = REPOSITORY / "build"
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold: the same input gives the same bytes


def replace_older(folder: Path, fill: Callable[[Path], object]) -> None:
    """Build beside the place and move, so that an interrupted build is never taken for a whole one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    older = list(folder.parent.glob(f"{folder.name.rpartition('-')[0]}-*"))
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
    fill(draft)
    with contextlib.suppress(OSError):  # another process was first: its result is the same
        draft.chmod(0o755)
        draft.rename(folder)
    for needless in (draft, *older):
        shutil.rmtree(needless, ignore_errors=True) if needless.is_dir() else needless.unlink(missing_ok=True)


def zip_folder(folder: Path, archive: Path) -> Path:
    """The folder as a zip that depends on nothing but its contents."""
    draft = archive.with_name(f".{archive.name}.{secrets.token_hex(4)}")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as file:
        for path in files_in(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), LONG_AGO)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, path.read_bytes())
    draft.replace(archive)
    return archive


def files_in(folder: Path) -> Iterator[Path]:
    """All files below the folder, in order of their paths."""
    return iter(sorted(path for path in folder.rglob("*") if path.is_file()))
