"""Errors, units, options, files, git: what every package may use; imports none of them."""
