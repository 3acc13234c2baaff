"""What a new machine lacks: Python packages, Node.js, a browser, programs for proofs."""
