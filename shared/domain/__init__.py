"""The rules: pure, without I/O, clock, ids or pydantic. A call is a fold over its events."""
