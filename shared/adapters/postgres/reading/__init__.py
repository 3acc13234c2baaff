"""SQL of lists, single calls and polled changes."""
