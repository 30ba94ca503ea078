"""How inputs that break a property are searched for; `measures/properties.py` is its face."""
