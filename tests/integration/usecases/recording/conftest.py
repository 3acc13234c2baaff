"""Fixtures for recording."""

import pytest

from tests.support.harness import Harness
from tests.support.routing import QUEUE, set_up


@pytest.fixture
def night(harness: Harness) -> Harness:
    """No agent is signed in, and Switchboard routes one queue."""
    harness.rows("update agents set status = 'offline', queues = '{}'")
    set_up(harness, QUEUE, routing="switchboard")
    return harness
