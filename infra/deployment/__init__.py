"""From template.yaml to a running stack: packages, their runtime, any endpoint."""
