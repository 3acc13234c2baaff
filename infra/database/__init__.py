"""The schema, its migrations and roles, and the comparison of stored results with the log."""
