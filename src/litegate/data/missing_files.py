"""Report the files that a data set's `load` does not find as data that are not available."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from litegate.core.errors import DataUnavailable, LitegateError
from litegate.core.file_reads import record_reads
from litegate.core.import_paths import own_line
from litegate.data.sources import is_lfs_pointer


@contextmanager
def report_missing_files(project: Path) -> Iterator[None]:
    """Raise DataUnavailable for a file that the project's own code misses in the context.

    A folder that was listed and does not exist is missing, too: a pattern finds nothing in it, and
    the code fails later. So is a file that Git LFS left as a pointer, whatever the code makes of
    it. All other exceptions pass.
    """
    with record_reads(project) as reads:
        try:
            yield
        except LitegateError:
            raise
        except Exception as error:  # the user's function may raise anything
            place = own_line(error, project)
            pointer = next(filter(is_lfs_pointer, reads.files()), None)
            if place and pointer:
                name = _relative(pointer, project)
                raise data_not_found(name, place, project, remedy="") from error
            if place and _is_missing(error):
                raise _missing(error, place, project) from error
            folder = next(iter(reads.missing_folders()), None)
            if place and folder:
                name, remedy = _relative(folder, project), "provide the folder, or correct the path"
                raise data_not_found(name, place, project, remedy=remedy) from error
            raise


def data_not_found(
    what: str, place: str, project: Path, *, expected: str = "", remedy: str
) -> DataUnavailable:
    """Return the error for data that are missing; `place` is the file and line that needs them."""
    line = _relative(Path(place), project)
    is_pointer = (project / what).is_file() and is_lfs_pointer(project / what)
    if (project / f"{what}.dvc").is_file():
        remedy = f"run `dvc pull {what}`"
    return DataUnavailable(
        f"data not found: {what} ({line})",
        expected=expected,
        got="a Git LFS pointer instead of the file" if is_pointer else "",
        remedy="run `git lfs pull`" if is_pointer else remedy,
    )


def _relative(path: Path, project: Path) -> str:
    return (path.relative_to(project) if path.is_relative_to(project) else path).as_posix()


def _is_missing(error: Exception) -> bool:
    """Return True if a file does not exist: for Python, or for TensorFlow's own file system."""
    kind = type(error)
    # By its name: TensorFlow may not be installed, and importing it takes seconds.
    is_tensorflow = kind.__name__ == "NotFoundError" and kind.__module__.startswith("tensorflow.")
    return is_tensorflow or isinstance(error, FileNotFoundError)


def _missing(error: Exception, place: str, project: Path) -> DataUnavailable:
    name = getattr(error, "filename", None)
    if isinstance(name, str):
        remedy = "provide the file, or correct the path"
        return data_not_found(_relative(Path(name), project), place, project, remedy=remedy)
    return data_not_found(str(error), place, project, remedy="provide the data")  # in its own words
