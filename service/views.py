"""Keeps what each camera usually looks at through restarts, so that a moved one is not learned as usual; as blobs."""

from __future__ import annotations

import hashlib
import queue
import threading
from typing import TYPE_CHECKING, Final

import structlog

from footfall.errors import StoreError, UnknownRecordError
from footfall.redaction import place_of
from footfall.vision.view import View

if TYPE_CHECKING:
    from footfall.domain import Camera
    from footfall.stores.blobs import BlobStore

_log = structlog.get_logger(__name__)
_WAITING: Final = 200


class ViewKeeper:
    """Frozen views of cameras; written on a thread of its own.

    A view belongs to a camera and its source: another address without user and password shows another place.
    """

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._waiting: queue.Queue[tuple[str, View | None] | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._write_all, name="views", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Write what waits."""
        if self._thread.ident is not None:
            self._waiting.put(None)
            self._thread.join(timeout_s)

    def view(self, camera: Camera) -> View | None:
        """Return the view that was kept; None where none was, or it cannot be read: then it is learned anew."""
        try:
            return View.from_bytes(self._blobs.get(_key(camera)))
        except UnknownRecordError:
            return None
        except (StoreError, ValueError) as error:
            _log.warning("the view of a camera cannot be read; it is learned anew", camera=camera.id, error=str(error))
            return None

    def keep(self, camera: Camera, view: View) -> None:
        """Keep a view, soon."""
        self._put(_key(camera), view)

    def forget(self, camera: Camera) -> None:
        """Forget a view, soon."""
        self._put(_key(camera), None)

    def _put(self, key: str, view: View | None) -> None:
        try:
            self._waiting.put_nowait((key, view))
        except queue.Full:
            _log.error("the view of a camera was not kept: too many wait to be written", key=key)

    def _write_all(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            key, view = waiting
            try:
                if view is None:
                    self._blobs.delete(key)
                else:
                    self._blobs.put(key, view.to_bytes())
            except StoreError as error:
                _log.error("the view of a camera was not kept", key=key, error=str(error))


def _key(camera: Camera) -> str:
    source = hashlib.sha256(place_of(camera.url).encode()).hexdigest()[:16]
    return f"views/{camera.id}/{source}.npz"
