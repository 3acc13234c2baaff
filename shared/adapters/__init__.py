"""The world outside: Postgres, Redis, AWS, the clock. The only place that imports a driver."""
