"""Provide errors, units, options, escaping, files and git for all other packages."""
