"""How buffers are placed in memory; `measures/arena.py` is its face."""
