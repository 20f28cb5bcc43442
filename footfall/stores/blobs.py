"""Pictures and reports as named bytes, in a folder or an object store; knows nothing of what they hold."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import fsspec

from footfall.errors import StoreError, UnknownRecordError
from footfall.redaction import redact_url

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEY: Final = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9_.=-]{0,127}/){0,8}[A-Za-z0-9][A-Za-z0-9_.=-]{0,127}")
_UNFINISHED: Final = ".unfinished-"


@dataclass(frozen=True, slots=True)
class Blob:
    """What is known of stored bytes.

    Attributes:
        changed_at: when they were written; aware UTC.
    """

    key: str
    size: int
    changed_at: datetime


class BlobStore:
    """Bytes by key; a key is a path of names, such as `samples/gate-2/2026-01-31/7.jpg`.

    What is there is whole: a folder gets files by renaming, an object store by its own promise.

    Args:
        place: a folder, or an address that fsspec knows, such as `s3://bucket/prefix`.
        options: for fsspec: credentials, endpoint.

    Raises:
        StoreError: no such kind of store, or its library is not installed.
    """

    def __init__(self, place: str, **options: Any) -> None:  # noqa: ANN401  each kind of store has its own
        self._shown = redact_url(place)
        try:
            self._files, path = fsspec.core.url_to_fs(place, **options)
        except (ValueError, ImportError) as error:
            raise StoreError(
                f"blobs {self._shown}: this kind of store cannot be used ({type(error).__name__}); expected a folder, "
                "or s3://bucket/prefix with the `s3` extra installed"
            ) from None
        self._root = path.rstrip("/")
        self._is_folder = "file" in self._files.protocol

    def put(self, key: str, content: bytes) -> None:
        """Write bytes; what was there by this key is replaced.

        Raises:
            ValueError: `key` is no path of names.
            StoreError: they could not be written.
        """
        path = self._path(key)
        try:
            folder, _, name = path.rpartition("/")
            if not self._is_folder:
                self._files.pipe_file(path, content)
                return
            self._files.makedirs(folder, exist_ok=True)
            unfinished = f"{folder}/{_UNFINISHED}{uuid.uuid4().hex}-{name}"
            try:
                self._files.pipe_file(unfinished, content)
                self._files.mv(unfinished, path)
            except BaseException:
                if self._files.exists(unfinished):
                    self._files.rm_file(unfinished)
                raise
        except OSError as error:
            raise self._fault("written", key, error) from None

    def get(self, key: str) -> bytes:
        """Return the bytes.

        Raises:
            UnknownRecordError: there are none by this key.
            StoreError: they could not be read.
        """
        path = self._path(key)
        try:
            return bytes(self._files.cat_file(path))
        except FileNotFoundError:
            raise UnknownRecordError(f"blob {key!r} is not in {self._shown}") from None
        except OSError as error:
            raise self._fault("read", key, error) from None

    def delete(self, key: str) -> bool:
        """Delete bytes; tells whether there were any."""
        path = self._path(key)
        try:
            # An object store deletes what is not there without a word.
            if not self._is_folder:
                self._files.invalidate_cache()
                if not self._files.exists(path):
                    return False
            self._files.rm_file(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._fault("deleted", key, error) from None
        return True

    def blobs(self, prefix: str = "") -> Iterator[Blob]:
        """Tell what is there below a prefix of whole names, by key; empty when nothing is.

        Raises:
            StoreError: the store cannot be listed.
        """
        top = self._path(prefix) if prefix else self._root
        try:
            self._files.invalidate_cache()
            found = self._files.find(top, detail=True) if self._files.exists(top) else {}
        except OSError as error:
            raise self._fault("listed", prefix, error) from None
        for path, about in sorted(found.items()):
            if _UNFINISHED not in path:
                yield Blob(path.removeprefix(self._root).lstrip("/"), int(about["size"]), _changed_at(about))

    def delete_below(self, prefix: str) -> int:
        """Delete everything below a prefix of whole names; tells how many blobs that were."""
        return sum(self.delete(blob.key) for blob in list(self.blobs(prefix)))

    def size(self, prefix: str = "") -> int:
        """Bytes below a prefix of whole names."""
        return sum(blob.size for blob in self.blobs(prefix))

    def _path(self, key: str) -> str:
        if not _KEY.fullmatch(key):
            raise ValueError(f"blob key {key[:80]!r}: expected names of letters, digits and . _ = - between slashes")
        return f"{self._root}/{key}"

    def _fault(self, what: str, key: str, error: Exception) -> StoreError:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return StoreError(f"blobs {self._shown}: {key!r} could not be {what} ({reason})")


def _changed_at(about: dict[str, Any]) -> datetime:
    """When something was written, as the kinds of stores tell it: seconds, a datetime, or under another name."""
    moment = about.get("mtime") or about.get("LastModified") or about.get("created") or 0.0
    if isinstance(moment, datetime):
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.fromtimestamp(float(moment), UTC)
