"""The rights of a token: its role permits actions, and its queues permit calls and agents."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Role = Literal["sender", "supervisor", "admin"]
EVERY_QUEUE = "*"


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a token.

    role: decides which actions are permitted.
    queues: ids of permitted queues, or `EVERY_QUEUE`.
    expires_at: when the token expires, in seconds since 1970.
    """

    role: Role
    queues: frozenset[str]
    expires_at: int

    def can_see(self, queue_id: str) -> bool:
        return EVERY_QUEUE in self.queues or queue_id in self.queues

    def visible_queues(self, requested: Collection[str]) -> list[str] | None:
        """The permitted ones of the requested queues, or of all queues if none are requested. None means all queues."""
        if not requested:
            return None if self.sees_all else sorted(self.queues)
        return sorted(filter(self.can_see, set(requested)))

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
        """Required for what belongs to several queues, such as an agent."""
        return self.may_administer and self.sees_all
