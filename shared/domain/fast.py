"""Decorators that make domain objects cheap. Recording one event creates dozens of them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, dataclass_transform

C = TypeVar("C")
T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def fast_frozen(cls: type[T]) -> type[T]:
    """A data class that type checkers treat as frozen, created in a third of the time of `dataclass(frozen=True)`.

    `frozen=True` makes Python set each field by a function call. This class has ordinary fields at run time.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


def cached_rule(rule: Callable[[C], T]) -> Callable[[C], T]:
    """Compute a rule once per object, and keep its result in the object's field of the same name.

    The stored row, the feed and the response each need it.
    """
    name = rule.__name__

    @wraps(rule)
    def cached(subject: C) -> T:
        result: Any = getattr(subject, name, None)
        if result is None:
            result = rule(subject)
            object.__setattr__(subject, name, result)
        return result

    return cached
