"""SQL of figures, their stored sums, and the archive."""
