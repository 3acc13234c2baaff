"""SQL of the recorder."""
