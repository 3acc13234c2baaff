"""This machine: processes, free ports and log files."""
