"""The fixtures of the stores behind a bucket."""

from bucket_stores import machine, put, reach, server, url

__all__ = ["machine", "put", "reach", "server", "url"]
