"""Principals that tests use."""

from shared.usecases.access import Principal

ALL = Principal("supervisor", frozenset({"*"}), 0)
