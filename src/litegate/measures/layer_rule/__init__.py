"""How layers of two files are compared; `measures/layer_error.py` is its face."""
