"""Clouds that tests start themselves: how one starts and stops is the subject of the tests here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cloud import Cloud, stop_leftovers


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Cloud]:
    """A home where nothing runs so far. Whatever a test leaves running is stopped."""
    cloud = Cloud(tmp_path / "home")
    yield cloud
    stop_leftovers(cloud)
