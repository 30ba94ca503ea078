"""How two files of one model are compared; `measures/against_base.py` is its face."""
