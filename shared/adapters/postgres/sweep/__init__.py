"""SQL of the sweep."""
