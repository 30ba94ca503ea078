"""Puts this folder on the import path: the packages below share its helper modules."""
