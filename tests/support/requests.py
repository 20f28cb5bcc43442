"""Requests for a better model, as tests need them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from footfall.domain import RetrainRequest

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def make_request(**changes: Any) -> RetrainRequest:
    """Return a request nobody has stored; another id each time, otherwise the same."""
    values: dict[str, Any] = {
        "id": uuid.uuid4().hex,
        "site": "mall",
        "cause": "fog",
        "slice": "gate",
        "champion": "0123456789ab",
        "reason": "fog since Monday",
        "source": "policy",
        "asked_by": "monitor",
        "at": NOON,
    }
    return RetrainRequest(**(values | changes))
