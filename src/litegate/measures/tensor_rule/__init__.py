"""What a recipe promises of tensors and operators; `measures/tensors.py` is its face."""
