"""Reading: lists, single calls, figures, changes and health."""
