"""The fixtures of the stores behind a bucket."""

from s3_stores import machine, put, s3, url

__all__ = ["machine", "put", "s3", "url"]
