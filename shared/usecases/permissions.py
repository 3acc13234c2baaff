"""What a bearer of a token may do: the role says which verbs, the queues say on what."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Role = Literal["sender", "supervisor", "admin"]
EVERY_QUEUE = "*"


@dataclass(frozen=True, slots=True)
class Bearer:
    """`expires_at` in seconds since 1970."""

    role: Role
    queues: frozenset[str]
    expires_at: int

    def sees(self, queue_id: str) -> bool:
        return EVERY_QUEUE in self.queues or queue_id in self.queues

    def narrowed(self, asked: Collection[str]) -> list[str] | None:
        """The queues asked for, as far as they may be seen; None where nothing narrows the view."""
        if not asked:
            return None if self.sees_all else sorted(self.queues)
        return sorted(filter(self.sees, set(asked)))

    @property
    def sees_all(self) -> bool:
        return EVERY_QUEUE in self.queues

    @property
    def may_send(self) -> bool:
        return self.role in ("sender", "admin")

    @property
    def may_read(self) -> bool:
        return self.role in ("supervisor", "admin")

    @property
    def may_administer(self) -> bool:
        return self.role == "admin"

    @property
    def may_administer_all(self) -> bool:
        """What belongs to no queue alone, such as an agent."""
        return self.may_administer and self.sees_all
