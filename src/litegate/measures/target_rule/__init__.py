"""What an operator must be for a target; `measures/target.py` is its face."""
