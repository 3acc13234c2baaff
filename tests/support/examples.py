"""How many random examples a property test tries: few and always the same in `make test`, many in `make test-deep`."""

import pytest
from hypothesis import HealthCheck, settings

QUICK, DEEP = "quick", "deep"
# Property tests share one database among all examples of a test. Each example makes calls and agents of its own.
_SHARED_FIXTURES = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def register_profiles() -> None:
    """Register both profiles and load the quick one; `--hypothesis-profile=deep` chooses the other.

    The quick profile is deterministic: the same examples in each run, so that a failure is always the fault of a
    change. The deep profile searches at random. `make test-deep` prints its seed.
    """
    settings.register_profile(
        QUICK,
        max_examples=25,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=_SHARED_FIXTURES,
    )
    settings.register_profile(
        DEEP, max_examples=200, deadline=None, print_blob=True, suppress_health_check=_SHARED_FIXTURES
    )
    settings.load_profile(QUICK)


def few_and_many(few: object, many: object) -> list[object]:
    """Two parameters for one test: a small size for `make test`, the full size for `make test-deep`."""
    return [pytest.param(few, id="few"), pytest.param(many, id="many", marks=pytest.mark.deep)]


def examples(*, quick: int, deep: int) -> settings:
    """Settings for a test whose examples cost more, or less, than most: the number tried in each profile."""
    return settings(max_examples=deep if settings.get_current_profile_name() == DEEP else quick)
