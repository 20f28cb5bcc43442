"""Lets somebody else run retrainings: a signed message tells them, and they tell us how it ended."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from monitoring.launchers import Ended, LaunchError, told_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from footfall.domain import RetrainRequest

_TIMEOUT_S: Final = 10.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:  # noqa: ANN401  as the base class has it
        """Follow nobody: the signature is for one receiver."""


class WebhookLauncher:
    """Posts the request as JSON, signed as Standard Webhooks say (symmetric, `v1`).

    Headers `webhook-id` (the same for a repeat), `webhook-timestamp` and `webhook-signature`. The receiver answers 2xx
    when it took it, and at the end posts to `/api/v1/retrains/ID/end`.

    Args:
        url: may hold a secret; it is never shown.
        secret: shared with the receiver.
        deadline_s: a retraining of which nobody told an end for so long has failed.
    """

    def __init__(self, url: str, secret: str, *, deadline_s: float) -> None:
        self._url = url
        self._secret = secret
        self._deadline_s = deadline_s
        self._opener = urllib.request.build_opener(_NoRedirect)

    def launch(self, request: RetrainRequest) -> Mapping[str, Any]:
        """Post it; a repeat has the same id, so the receiver knows it."""
        self._post(request, "retrain.requested")
        return {"webhook": request.id}

    def poll(self, request: RetrainRequest) -> Ended | None:
        """Return None until the deadline: the end comes over the API."""
        if request.launched_at is not None and time.time() - request.launched_at.timestamp() > self._deadline_s:
            return Ended("failed", f"nobody told its end within {self._deadline_s:g} s")
        return None

    def cancel(self, request: RetrainRequest) -> None:
        """Tell the receiver."""
        self._post(request, "retrain.cancelled")

    def _post(self, request: RetrainRequest, kind: str) -> None:
        content = {"type": kind, "timestamp": request.at.isoformat(), "data": told_of(request)}
        body = json.dumps(content).encode()
        message_id, at = f"{kind}.{request.id}", str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": at,
            "webhook-signature": sign(self._secret, message_id, at, body),
        }
        # Only http(s), checked with the settings.
        posted = urllib.request.Request(self._url, body, headers, method="POST")  # noqa: S310
        try:
            with self._opener.open(posted, timeout=_TIMEOUT_S):
                return
        except urllib.error.HTTPError as error:
            error.close()
            raise LaunchError(f"retraining {request.id}: the webhook answered {error.code}, expected 2xx") from None
        except (OSError, ValueError) as error:
            raise LaunchError(f"retraining {request.id}: the webhook gave no answer ({type(error).__name__})") from None


def sign(secret: str, message_id: str, at: str, body: bytes) -> str:
    """Return the signature of a message. Source: Standard Webhooks 1.0, HMAC-SHA256 of `id.timestamp.body`."""
    digest = hmac.digest(secret.encode(), f"{message_id}.{at}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"
