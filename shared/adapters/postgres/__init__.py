"""Postgres, which stores all calls, events and agents. Long statements are in `.sql` files (see `queries.py`)."""
