"""How the two latency rules are carried out; `measures/latency.py` is their face."""
