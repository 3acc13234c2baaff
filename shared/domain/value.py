"""Values: what an event pays for by the dozen."""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def value(cls: type[T]) -> type[T]:
    """A frozen dataclass with slots to whoever checks types, and at run time one that is made in a third of the time:
    `frozen` sets each field by a call.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
