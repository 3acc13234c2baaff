"""Joins use cases to adapters, lazily and once a process: a function imports and opens only what it uses."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from shared.adapters import clock
from shared.adapters.aws import lambda_handler, lambda_memory
from shared.adapters.aws.lambda_invoke import invoke_async
from shared.adapters.ids import new_id, new_ids
from shared.adapters.postgres.connection import Database
from shared.adapters.telemetry import json_log, metrics
from shared.settings import log_level, required, settings
from shared.usecases.errors import UnavailableError

if TYPE_CHECKING:  # what only some functions need is imported where it is made
    import logging

    from shared.adapters.aws.connections import Connections, Sign
    from shared.adapters.postgres.feed.leases import PostgresLeases
    from shared.adapters.postgres.feed.subscriptions import PostgresRegistry
    from shared.adapters.postgres.figures.read_figures import PostgresFigures
    from shared.adapters.postgres.reading.changes import PostgresChanges
    from shared.adapters.postgres.reading.reads import PostgresReads
    from shared.adapters.postgres.recording.agents import PostgresAgents
    from shared.adapters.postgres.recording.dead_letters import PostgresDeadLetters
    from shared.adapters.postgres.recording.unit_of_work import PostgresTransactions
    from shared.adapters.postgres.sweep.housekeeping import PostgresHousekeeping
    from shared.adapters.redis.publisher import RedisPublisher
    from shared.usecases.feed.relay import Relay
    from shared.usecases.reading.cursors import Cursors
    from shared.usecases.reading.health import Vitals
    from shared.usecases.recording.notices import Announcer
    from shared.usecases.recording.submit_events import IngestServices
    from shared.usecases.sweep.fire_due_timers import Sweeper
    from shared.usecases.sweep.offer_freed_agents import Dispatcher

WAKE_AT_MOST_EVERY = timedelta(seconds=2)


def logger(service: str) -> logging.Logger:
    lambda_memory.tune_garbage_collection()
    metrics.serve(service)
    return json_log.configure(service, log_level())


def _database_url() -> str:
    return required("DATABASE_URL", settings().database_url)


def _redis_url() -> str:
    return required("REDIS_URL", settings().redis_url)


@cache
def database() -> Database:
    return Database(_database_url())


@cache
def transactions() -> PostgresTransactions:
    from shared.adapters.postgres.recording.unit_of_work import PostgresTransactions

    return PostgresTransactions(database(), settings().relay_shards)


@cache
def agents() -> PostgresAgents:
    from shared.adapters.postgres.recording.agents import PostgresAgents

    return PostgresAgents(database())


@cache
def reading_database() -> Database:
    return Database(_database_url(), read_only=True)


@cache
def reads() -> PostgresReads:
    from shared.adapters.postgres.reading.reads import PostgresReads

    return PostgresReads(reading_database())


def cursors() -> Cursors:
    """By the keys as they are now."""
    from shared.adapters.auth import signing_keys
    from shared.usecases.reading.cursors import Cursors

    return Cursors(signing_keys.ring())


@cache
def figures() -> PostgresFigures:
    from shared.adapters.postgres.figures.read_figures import PostgresFigures

    return PostgresFigures(reading_database())


@cache
def changes() -> PostgresChanges:
    from shared.adapters.postgres.reading.changes import PostgresChanges

    return PostgresChanges(reading_database())


def dead_letters(database: Database) -> PostgresDeadLetters:
    from shared.adapters.postgres.recording.dead_letters import PostgresDeadLetters

    return PostgresDeadLetters(database)


@cache
def announcer() -> RedisPublisher:
    from shared.adapters.redis.publisher import RedisPublisher

    # Nobody may be listening only because Redis has just come back: then the relay will, and needs no help.
    watches = [_Watch(partial(leases().vacant, [shard]), partial(wake_relay, shard)) for shard in relay_shards()]
    return RedisPublisher(_redis_url(), len(watches), wake_relay=lambda shard: watches[shard].look(clock.now()))


def relay_shards() -> range:
    return range(settings().relay_shards)


def wake_relay(shard: int, after: int | None = None) -> None:
    """For a vacant shard, or to succeed the holder with this fencing number."""
    invoke_async(settings().relay_function, {"shard": shard} | ({} if after is None else {"after": after}))


@cache
def leases() -> PostgresLeases:
    from shared.adapters.postgres.feed.leases import PostgresLeases

    return PostgresLeases(database())


def health() -> dict[str, Any]:
    """Asks every part; whoever does not answer is down, and stops nobody from being asked."""
    from shared.usecases.reading.health import Shards, report

    known: Vitals | None = None
    shards: Shards | None = None
    with suppress(UnavailableError):
        known = vitals()
        shards = Shards(len(relay_shards()), leases().vacant(relay_shards()))
    return report(known, shards, announcer().ping_milliseconds())


def vitals() -> Vitals:
    from shared.adapters.postgres.sweep.vitals import read_vitals

    return read_vitals(database())


@cache
def ingest_services() -> IngestServices:
    from shared.adapters.telemetry.recording_log import note_results
    from shared.usecases.recording.submit_events import IngestServices

    return IngestServices(
        transactions(), agents(), dispatcher(), new_ids, _grace(), note_results, lambda_handler.failed
    )


@cache
def dispatcher() -> Dispatcher:
    from shared.adapters.redis.publisher import Later
    from shared.usecases.sweep.offer_freed_agents import Dispatcher

    lambda_handler.at_end(announcer().settle)
    return Dispatcher(_noted(Later(announcer())), sweeper(), clock.now)


def _noted(announcer: Announcer) -> Announcer:
    from shared.adapters.telemetry.recording_log import RecordLog

    return RecordLog(announcer)


@cache
def sweeper() -> Sweeper:
    from shared.usecases.sweep.fire_due_timers import Sweeper

    return Sweeper(transactions(), _noted(announcer()), new_id, _grace(), lambda_handler.failed)


def upkeep() -> PostgresHousekeeping:
    """For one run: each has a name of its own under which it is alive."""
    from shared.adapters.postgres.sweep.housekeeping import PostgresHousekeeping

    return PostgresHousekeeping(
        database(),
        announcer(),
        holder=new_id(),
        wake=lambda: invoke_async(settings().sweep_function),
        keep_months=settings().keep_months,
    )


@cache
def registry() -> PostgresRegistry:
    from shared.adapters.postgres.feed.subscriptions import PostgresRegistry

    return PostgresRegistry(database())


@cache
def connections() -> Connections:
    from shared.adapters.aws.connections import Connections

    return Connections(settings().connections_url, _sign())


def _sign() -> Sign:
    from shared.adapters.aws.sigv4 import Signer

    return Signer("execute-api", settings().aws_region).headers


@asynccontextmanager
async def relay(shard: int) -> AsyncGenerator[Relay]:
    """For one run, with connections of its own: they belong to its event loop."""
    from shared.adapters.aws.connection_pool import HttpGateway
    from shared.adapters.telemetry.relay_log import LoggedRelayStore, LoggedSubscriber, RelayLog
    from shared.usecases.feed.relay import Relay

    told = RelayLog()
    floor = LoggedRelayStore(told, _database_url(), shard, settings().relay_shards)
    channel = LoggedSubscriber(told, _redis_url(), shard)
    async with HttpGateway(settings().connections_url, _sign()) as gateway:
        try:
            yield Relay(channel, floor, gateway, call=partial(wake_relay, shard))
        finally:
            await floor.close()


def wake_sweep_if_dead(now: datetime) -> None:
    """Timers were armed: see that somebody watches them, where the schedule's next minute would be too late."""
    _sweep_watch().look(now)


@cache
def _sweep_watch() -> _Watch:
    from shared.adapters.postgres.sweep.heartbeats import Heartbeats

    beats = Heartbeats(database(), "sweep")
    return _Watch(lambda: not beats.others_alive("", clock.now()), lambda: invoke_async(settings().sweep_function))


def _grace() -> timedelta:
    return timedelta(seconds=settings().deferred_grace_seconds)


class _Watch:
    """Wakes a function where it is missing. Looks now and then only: one may still be starting."""

    def __init__(self, is_missing: Callable[[], object], wake: Callable[[], None]) -> None:
        self._is_missing, self._wake = is_missing, wake
        self._looked_at: datetime | None = None

    def look(self, now: datetime) -> None:
        if self._looked_at is not None and now - self._looked_at < WAKE_AT_MOST_EVERY:
            return
        self._looked_at = now
        with suppress(UnavailableError):  # what was recorded is recorded; the schedule starts the function too
            if self._is_missing():
                self._wake()
