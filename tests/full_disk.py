"""A disk that is full, as far as the test's own body is concerned."""

import resource
from contextlib import contextmanager


@contextmanager
def full_disk(limit=1000):
    """No file may grow beyond `limit` bytes, so that writing fails as on a full disk.

    The test's own body alone: pytest's own output may be a file, too.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
