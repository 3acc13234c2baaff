"""What Switchboard does, in one folder per flow: recording, sweep, feed and reading."""
