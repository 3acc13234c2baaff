"""This project's speeds, each beside the ceiling of the same machine in the same run."""
