"""Arrays and what they are as the bytes of one blob, without pickle; knows no window."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray


def pack(about: object, arrays: Mapping[str, NDArray[np.floating]]) -> bytes:
    """Return an npz file.

    Args:
        about: what JSON can say.
        arrays: none is called `about`.
    """
    file = io.BytesIO()
    named: dict[str, Any] = dict(arrays)
    np.savez_compressed(file, allow_pickle=False, about=np.array(json.dumps(about)), **named)
    return file.getvalue()


@contextmanager
def unpacked(content: bytes, what: str) -> Iterator[tuple[dict[str, Any], dict[str, NDArray[Any]]]]:
    """Yield what `pack` was given.

    Args:
        what: is in it; for the error.

    Raises:
        ValueError: it is something else; also where that is found out while it is looked at.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files if name != "about"}
            about = json.loads(str(stored["about"]))
        yield about, arrays
    except (OSError, EOFError, zipfile.BadZipFile, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"no {what} ({type(error).__name__})") from None
