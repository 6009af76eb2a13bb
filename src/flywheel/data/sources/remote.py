"""Files on a server: asked for again when they may be there soon, copied whole before they are read, errors in a sentence."""

from __future__ import annotations

import errno
import gzip
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

from fsspec.implementations.local import LocalFileSystem

from flywheel import files
from flywheel.data.sources import retrying
from flywheel.errors import ConfigError, DataError, FlywheelError, RemoteError

T = TypeVar("T")
CONNECT_S, SILENT_S = (
    10,
    60,
)  # for a server that does not answer, or falls silent; a long table may take longer as a whole
MAY_PASS = (408, 425, 429)  # and all from 500 on
REFUSED, GONE = (401, 403, 407), (404, 410)
# Whose errors are about a server, whatever they are called: the libraries below fsspec's file systems.
NETWORK = {
    "adlfs", "aiobotocore", "aiohttp", "asyncio", "asyncssh", "azure", "botocore", "ftplib", "gcsfs", "google", "http",
    "huggingface_hub", "ocifs", "ossfs", "paramiko", "requests", "s3fs", "smbprotocol", "socket", "ssl", "urllib3", "webdav4",
}  # fmt: skip
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # of this machine


def is_here(filesystem: Any) -> bool:
    """Whether files are on the disk of this machine."""
    return isinstance(filesystem, LocalFileSystem)


def options_of(address: str) -> dict[str, Any]:
    """What a file system is opened with, so that it waits neither for ever nor too short a time."""
    if not address.startswith(("http://", "https://")):
        return {}
    import aiohttp

    waits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENT_S)
    return {"client_kwargs": {"timeout": waits}}


def asked(filesystem: Any, place: str, work: Callable[[], T]) -> T:
    """What `work` finds in a file system. On a server it begins again, a few times, after an error that may pass.

    RemoteError when that does not help; ConfigError when nobody is let in; FileNotFoundError when nothing is there; any error
    that is not the server's as it is.
    """
    if is_here(filesystem):
        return work()
    try:
        return retrying.patiently(work, may_pass, wish_of)
    except Exception as error:
        if not is_of_server(error):
            raise
        raise said(place, error) from None


@contextmanager
def copied(filesystem: Any, name: str) -> Iterator[tuple[Any, str]]:
    """A file where it can be read in peace: of one on a server, a copy that goes afterwards. Errors as of `asked`."""
    if is_here(filesystem):
        yield filesystem, name
        return
    files.TMP.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix=f"{files.mine()}copy-", dir=files.TMP))
    try:
        copy = str(folder / "table")
        asked(filesystem, name, lambda: filesystem.get_file(name, copy))
        yield LocalFileSystem(), copy
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_there(filesystem: Any, name: str) -> bool:
    """Whether there is a file. What keeps the server from saying so is raised: a web server's errors would all mean no."""
    try:
        filesystem.info(name)
    except FileNotFoundError as error:
        if error.__cause__ is not None and is_of_server(error.__cause__) and status_of(error.__cause__) not in GONE:
            raise error.__cause__ from None
        return False
    return True


def status_of(error: BaseException) -> int | None:
    """The status that a web server answered with, as the libraries hand it on; None where it gave none."""
    answer = getattr(error, "response", None)
    held = answer.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(answer, dict) else None
    names = ("status", "status_code", "code")
    found = [held, *(getattr(error, name, None) for name in names), getattr(answer, "status_code", None)]
    return next((int(str(one)) for one in found if str(one).isdigit() and 100 <= int(str(one)) < 600), None)


def wish_of(error: BaseException) -> float | None:
    """For how many seconds a server wants to be left alone (its header Retry-After); None where it does not say so.

    A moment is compared with the server's own clock, its header Date.
    """
    answer = getattr(error, "response", None)
    held = answer.get("ResponseMetadata", {}).get("HTTPHeaders") if isinstance(answer, dict) else None
    headers = held or getattr(error, "headers", None) or getattr(answer, "headers", None) or {}
    if not isinstance(headers, Mapping):
        return None
    said = {str(name).lower(): str(value).strip() for name, value in headers.items()}
    asked = said.get("retry-after", "")
    if asked.isdigit():
        return float(asked)
    try:
        wait = (parsedate_to_datetime(asked) - parsedate_to_datetime(said.get("date", ""))).total_seconds()
    except (ValueError, TypeError):
        return None
    return max(wait, 0.0)


def is_of_server(error: BaseException) -> bool:
    """Whether an error is that of a server or of the way there, and not of this machine's disk or of the file's bytes."""
    if isinstance(error, FlywheelError | gzip.BadGzipFile):
        return False
    if type(error).__module__.partition(".")[0] in NETWORK:
        return True
    return isinstance(error, OSError) and error.errno not in DISK


def may_pass(error: BaseException) -> bool:
    """Whether the server may answer when it is asked again."""
    status = status_of(error)
    if status is not None:
        return status >= 500 or status in MAY_PASS
    is_final = isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError)
    return is_of_server(error) and not is_final and "Credential" not in type(error).__name__


def said(place: str, error: BaseException) -> Exception:
    """An error of a server in a sentence that says what to do; FileNotFoundError where there is nothing."""
    status = status_of(error)
    text = f"HTTP {status}" if status is not None else " ".join(str(error).split()).rstrip(".") or type(error).__name__
    if status in GONE or isinstance(error, FileNotFoundError):
        return FileNotFoundError(place)
    if status in REFUSED or isinstance(error, PermissionError) or "Credential" in type(error).__name__:
        return ConfigError(
            f"{place} may not be read with these credentials ({text}). Look at the address, and at the credentials in the "
            "environment."
        )
    wish = wish_of(error) or 0.0
    if may_pass(error) and wish > retrying.LONGEST_ASKED_S:
        return RemoteError(
            f"{place} does not answer ({text}), and wants to be left alone for {wish:g} seconds. Run again then; "
            "nothing is lost."
        )
    if may_pass(error):
        return RemoteError(
            f"{place} does not answer, or went away ({text}); it was asked {retrying.TRIES} times. Run again when it is back; "
            "nothing is lost."
        )
    return DataError(f"{place} cannot be read ({text}). Look at the address.")
