"""The sweep: timers that are due, waiting calls, archiving and agent time."""
