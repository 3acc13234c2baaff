"""The embedded cloud: Postgres, Redis and MiniStack as plain processes on loopback."""
