"""Files behind addresses: a plain path, `file://…`, or `s3://bucket/key`. The scheme picks who answers: this machine, or S3.

S3 is asked by Arrow's client, which PyIceberg uses too. Nothing here knows of tables; keys stand in no address, error or repr.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar, cast

from medflow.errors import CatalogError, LandingError, MedflowError
from medflow.lakehouse.locations import LOCAL_PROBLEMS, openable
from medflow.settings import Settings

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem, S3FileSystem
    from pyiceberg.io import FileIO

Item = TypeVar("Item")
Result = TypeVar("Result")
S3 = "s3://"
# A server that is down or silent is given up within half a minute: three tries of these seconds each.
_CONNECT_SECONDS = 3
_REQUEST_SECONDS = 8
_TRIES = 3
_AT_A_TIME = 8
_REFUSED = {"ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "INVALID_CLIENT_TOKEN_ID", "EXPIRED_TOKEN"}
_SILENT = {"NETWORK_CONNECTION", "REQUEST_TIMEOUT", "SERVICE_UNAVAILABLE", "SLOW_DOWN"}


@dataclass(frozen=True)
class Storage:
    """Who answers for `s3://` addresses, as the settings name it; without any, Amazon's S3. Can be sent to other processes."""

    endpoint: str = ""
    region: str = "us-east-1"
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Storage:
        """The storage that the settings S3_* name."""
        return cls(settings.s3_endpoint, settings.s3_region, settings.s3_access_key, settings.s3_secret_key)

    @property
    def told(self) -> str:
        """The service as errors name it."""
        return f"S3 at {self.endpoint}" if self.endpoint else f"Amazon S3 ({self.region})"

    def filesystem(self, address: str) -> tuple[FileSystem, str]:
        """Arrow's file system for an address, and the address as that file system spells it."""
        if is_remote(address):
            return _s3(self), address.removeprefix(S3)
        from pyarrow.fs import LocalFileSystem

        return LocalFileSystem(), openable(address)

    def file_io(self, address: str) -> FileIO:
        """How PyIceberg reads and writes at an address. The keys are no property of it, so that no table or catalog shows them."""
        from medflow.lakehouse.warehouse_io import WarehouseIO

        return WarehouseIO(self)

    def open(self, address: str) -> BinaryIO:
        """The bytes at an address, to be read once and closed. Raises OSError: it is not there or cannot be read."""
        if not is_remote(address):
            return Path(openable(address)).open("rb")
        files, path = self.filesystem(address)
        return cast(BinaryIO, files.open_input_stream(path))

    def read_text(self, address: str) -> str:
        """The UTF-8 text at an address. Raises OSError: it is not there or cannot be read."""
        with self.open(address) as stream:
            return stream.read().decode("utf-8")

    @contextmanager
    def warehouse_access(self, address: str) -> Iterator[None]:
        """Reading or writing in the warehouse; what the storage reports becomes a CatalogError that says what to do."""
        with self._told(address, CatalogError, "MEDFLOW_WAREHOUSE"):
            yield

    @contextmanager
    def landing_access(self, address: str) -> Iterator[None]:
        """Reading or writing in the landing folder; what the storage reports becomes a LandingError that says what to do."""
        with self._told(address, LandingError, "MEDFLOW_LANDING"):
            yield

    @contextmanager
    def _told(self, address: str, kind: type[MedflowError], setting: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place = "warehouse" if kind is CatalogError else "landing folder"
            told = os.strerror(error.errno) if error.errno else type(error).__name__
            problem = self.problem(error, address) or f"cannot be read or written ({told})"
            raise kind(f"{openable(address)} {problem}. The {place} is named by {setting}") from error

    def problem(self, error: BaseException, address: str) -> str | None:
        """What an error of the storage means for an address and what to do, as the rest of a sentence; None: nothing known.

        Arrow's own text is not told: it may quote keys.
        """
        if not is_remote(address):
            gone = "is gone: its folder was emptied, moved or cleaned" if isinstance(error, FileNotFoundError) else None
            return gone or LOCAL_PROBLEMS.get(getattr(error, "errno", None) or 0)
        bucket = address.removeprefix(S3).partition("/")[0]
        code = _code(error)
        if code in _SILENT:
            return f"cannot be reached: {self.told} does not answer. Start it, or name another in MEDFLOW_S3_ENDPOINT, and run again"
        if code in _REFUSED:
            return f"cannot be opened: {self.told} denies it. Check MEDFLOW_S3_ACCESS_KEY, MEDFLOW_S3_SECRET_KEY and the bucket's policy"
        if code == "NO_SUCH_BUCKET" or (bucket and isinstance(error, FileNotFoundError) and self._lacks(bucket)):
            return f"is gone: {self.told} has no bucket {bucket}. Make it, or name another"
        if isinstance(error, FileNotFoundError):
            return f"is gone: {self.told} has no such object; it was deleted, or the service forgot it when it restarted"
        return f"cannot be read or written: {self.told} answered {code}" if code else None

    def _lacks(self, bucket: str) -> bool:
        from pyarrow.fs import FileType

        try:
            return bool(_s3(self).get_file_info(bucket).type == FileType.NotFound)
        except OSError:
            return False


def each(address: str, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """The same work on several files below an address, in their order. On S3 some at a time: each mostly waits for an answer."""
    if not is_remote(address) or len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(max_workers=_AT_A_TIME) as pool:
        return list(pool.map(work, items))


def is_remote(address: str) -> bool:
    """Whether S3 answers for it."""
    return address.startswith(S3)


@cache
def _s3(storage: Storage) -> S3FileSystem:
    """One client a process and storage, which keeps its connections."""
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    scheme, _, host = storage.endpoint.rpartition("://")
    return S3FileSystem(
        access_key=storage.access_key or None,
        secret_key=storage.secret_key or None,
        region=storage.region,
        scheme=scheme or "https",
        endpoint_override=host.rstrip("/") or None,
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_REQUEST_SECONDS,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=_TRIES),
        allow_delayed_open=True,  # a small file is one request
    )


def _code(error: BaseException) -> str:
    """Amazon's word for what happened, as Arrow's text tells it; empty if it tells none."""
    found = re.search(r"AWS Error ([A-Z_]+)", str(error))
    if found and found[1] == "UNKNOWN" and re.search(r"HTTP status 5\d\d", str(error)):
        return "SERVICE_UNAVAILABLE"
    return found[1] if found else ""
