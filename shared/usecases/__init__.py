"""What Switchboard does: a verb a file, one transaction each."""
