"""Principals that tests use."""

from shared.usecases.access import Principal

ALL_QUEUES = Principal("supervisor", frozenset({"*"}), 0)
