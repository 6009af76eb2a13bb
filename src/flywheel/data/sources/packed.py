"""Compressed files: their bytes, unpacked, as the ending of a name says."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from flywheel.errors import DataError

# What unpacking raises where a file is cut off, or is something else. Of a zip that is packed in a way that it does not know
# zipfile says NotImplementedError.
BROKEN = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile, NotImplementedError)


def _zstd(file: Any) -> Any:
    return io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd"))


UNPACKED: dict[str, Callable[[Any], Any]] = {
    "gz": lambda file: gzip.GzipFile(fileobj=file),
    "bz2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
    "zst": _zstd,
}
PACKED = {*UNPACKED, "zip"}


@contextmanager
def unpacked(file: Any, name: str, ending: str) -> Iterator[Any]:
    """The bytes of an open file; as they are where its ending says no packing. DataError for an odd zip."""
    if ending == "zip":
        with zipfile.ZipFile(file) as whole, whole.open(only_member(whole, name)) as member:
            yield member
    elif ending in UNPACKED:
        with UNPACKED[ending](file) as bytes_of:
            yield bytes_of
    else:
        yield file


def only_member(whole: zipfile.ZipFile, name: str) -> str:
    """The one file in a zip; what macOS adds is none. DataError where there are more, or none, or it needs a password."""
    members = [one for one in whole.namelist() if not one.endswith("/") and not _is_hidden(one)]
    if len(members) != 1:
        found = f"{', '.join(members[:5])}{' and more' if len(members) > 5 else ''}" if members else "nothing"
        raise DataError(
            f"{name} must hold one file; found: {found}. Unpack it, and give the folder or a glob, or pack each file by itself."
        )
    if whole.getinfo(members[0]).flag_bits & 1:
        raise DataError(f"{name} can be unpacked with a password alone. Pack the table without one, or unpack it.")
    return members[0]


def _is_hidden(member: str) -> bool:
    return member.startswith("__MACOSX/") or member.rsplit("/", 1)[-1].startswith(".")


@contextmanager
def reading(name: str) -> Iterator[None]:
    """What the disk or the bytes of a file raise in here is a DataError that names the file."""
    try:
        yield
    except BROKEN as error:
        raise DataError(
            f"{name} cannot be unpacked ({error or type(error).__name__}): it is cut off, or not what the ending of its name "
            "says. Give a whole file under the right name."
        ) from error
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error}. Mend it and run again.") from error
