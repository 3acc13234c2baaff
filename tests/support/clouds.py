"""Types for the tests of clouds."""

from collections.abc import Callable
from typing import Any

Client = Callable[[str], Any]
