"""The database's schema and roles, its backup, and its proof against the log."""
