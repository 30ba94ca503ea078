"""Build artifacts on the machines of a Ray cluster."""
