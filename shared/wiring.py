"""Connects use cases with adapters, once for each process. Imports are lazy, because a cold start pays for each."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from shared.adapters.aws import lambda_handler, lambda_memory
from shared.adapters.aws.lambda_invoke import invoke_async
from shared.adapters.ids import new_id, new_ids
from shared.adapters.postgres.connection import Database
from shared.adapters.telemetry import json_log, metrics
from shared.settings import log_level, required, settings
from shared.usecases.errors import UnavailableError

if TYPE_CHECKING:  # imported where it is used, because not all functions use it
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
    from shared.usecases.recording.submit_events import IngestServices
    from shared.usecases.sweep.services import SweepServices

MIN_CHECK_INTERVAL = timedelta(seconds=2)  # between two checks whether a function runs


def logger(service: str) -> logging.Logger:
    lambda_memory.tune_garbage_collection()
    metrics.set_service(service)
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
    """Signed with the current keys."""
    from shared.adapters.auth import signing_keys
    from shared.usecases.reading.cursors import Cursors

    return Cursors(signing_keys.current_keys())


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
def publisher() -> RedisPublisher:
    from shared.adapters.redis.publisher import RedisPublisher

    return RedisPublisher(_redis_url(), len(relay_shards()))


def relay_shards() -> range:
    return range(settings().relay_shards)


def wake_relay(shard: int, after: int | None = None) -> None:
    """Start a relay for a vacant shard, or as the successor of the holder with this fencing token."""
    invoke_async(settings().relay_function, {"shard": shard} | ({} if after is None else {"after": after}))


@cache
def leases() -> PostgresLeases:
    from shared.adapters.postgres.feed.leases import PostgresLeases

    return PostgresLeases(database())


def health() -> dict[str, Any]:
    """The state of every part. A part that does not answer is down."""
    from shared.usecases.reading.health import Shards, report

    known: Vitals | None = None
    shards: Shards | None = None
    with suppress(UnavailableError):
        known = vitals()
        shards = Shards(len(relay_shards()), leases().vacant(relay_shards()))
    return report(known, shards, publisher().ping_milliseconds())


def vitals() -> Vitals:
    from shared.adapters.postgres.sweep.vitals import read_vitals

    return read_vitals(database())


@cache
def ingest_services() -> IngestServices:
    from shared.adapters.telemetry.recording_log import log_results
    from shared.usecases.recording.submit_events import IngestServices

    return IngestServices(transactions(), agents(), new_ids, _grace(), log_results, lambda_handler.log_failure)


@cache
def sweep_services() -> SweepServices:
    """For the sweep, and for the steps after a commit."""
    from shared.adapters.telemetry.recording_log import log_notices
    from shared.usecases.sweep.services import SweepServices

    return SweepServices(
        transactions(), publisher(), new_id, _grace(), _Workers(), log_notices, lambda_handler.log_failure
    )


def housekeeping() -> PostgresHousekeeping:
    """For one run of the sweep, with its own name for its heartbeat."""
    from shared.adapters.postgres.sweep.housekeeping import PostgresHousekeeping

    return PostgresHousekeeping(
        database(),
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
    """For one run, with its own connections, because they belong to its event loop."""
    from shared.adapters.aws.connection_pool import HttpGateway
    from shared.adapters.telemetry.relay_log import LoggedRelayStore, LoggedSubscriber, RelayLog
    from shared.usecases.feed.relay import Relay

    log = RelayLog()
    store = LoggedRelayStore(log, _database_url(), shard, settings().relay_shards)
    channel = LoggedSubscriber(log, _redis_url(), shard)
    async with HttpGateway(settings().connections_url, _sign()) as gateway:
        try:
            yield Relay(channel, store, gateway, wake_successor=partial(wake_relay, shard))
        finally:
            await store.close()


def _grace() -> timedelta:
    return timedelta(seconds=settings().deferred_grace_seconds)


class _Workers:
    """Starts the functions that do not run. Checks each at most every 2 s, because a function needs time to start."""

    def __init__(self) -> None:
        from shared.adapters.postgres.sweep.heartbeats import Heartbeats

        self._heartbeats = Heartbeats(database(), "sweep")
        self._checked_at: dict[str, datetime] = {}

    def wake_relay(self, shard: int, now: datetime) -> None:
        """Start a relay if the shard is vacant. A relay that lost its connection to Redis connects again by itself."""
        if self._may_check(f"relay {shard}", now):
            with suppress(UnavailableError):
                if leases().vacant([shard]):
                    wake_relay(shard)

    def wake_sweep(self, now: datetime) -> None:
        """The schedule starts the sweep once a minute, which is too late for the timers of a call that begins now."""
        if self._may_check("sweep", now):
            with suppress(UnavailableError):
                if not self._heartbeats.others_alive("", now):
                    invoke_async(settings().sweep_function)

    def _may_check(self, worker: str, now: datetime) -> bool:
        checked_at = self._checked_at.get(worker)
        if checked_at and now - checked_at < MIN_CHECK_INTERVAL:
            return False
        self._checked_at[worker] = now
        return True
