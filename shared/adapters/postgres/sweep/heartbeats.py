"""Heartbeats of long-running functions."""

from datetime import datetime, timedelta

from shared.adapters.postgres.connection import Database, available

_BEAT = """
insert into heartbeats (name, holder, alive_until) values (%s, %s, %s)
on conflict (name, holder) do update set alive_until = excluded.alive_until
"""
_ALIVE = "select exists (select from heartbeats where name = %s and holder <> %s and alive_until > %s)"
_RESIGN = "delete from heartbeats where name = %s and (holder = %s or alive_until < %s)"

BEAT_SECONDS = 1.0
ALIVE = timedelta(seconds=2.5)  # one late heartbeat does not start a successor


class Heartbeats:
    def __init__(self, database: Database, name: str) -> None:
        self._database, self._name = database, name

    def beat(self, holder: str, now: datetime) -> None:
        with available():
            self._database.connection().execute(_BEAT, [self._name, holder, now + ALIVE])

    def others_alive(self, holder: str, now: datetime) -> bool:
        with available():
            row = self._database.connection().execute(_ALIVE, [self._name, holder, now]).fetchone()
        return bool(row and row[0])

    def resign(self, holder: str, now: datetime) -> None:
        with available():
            self._database.connection().execute(_RESIGN, [self._name, holder, now - timedelta(minutes=1)])
