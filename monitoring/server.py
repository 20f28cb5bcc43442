"""The monitor over HTTP: metrics, health, and alerts that come in; knows no figures."""

from __future__ import annotations

import secrets
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from footfall import __version__
from footfall.errors import StoreError
from monitoring.alerts import Notification, request_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

    from footfall.stores.retrains import RetrainStore
    from monitoring.metrics import MonitorMetrics

_MAX_BODY_BYTES: Final = 1_000_000
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


def create_app(
    metrics: MonitorMetrics,
    store: RetrainStore,
    *,
    site: Callable[[], str],
    cooldown: timedelta,
    token: str | None,
    viewer_token: str | None = None,
) -> FastAPI:
    """Return the application; without a token everybody who can reach it may come in.

    Args:
        site: gives the name of the site.
        viewer_token: reads metrics and asks for nothing.
        cooldown: see `RetrainStore.ask`.
    """
    app = FastAPI(title="Footfall monitor", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)

    def check(offered: _Bearer) -> None:
        _check(offered, token)

    def check_viewer(offered: _Bearer) -> None:
        _check(offered, token, viewer_token)

    @app.get("/healthz")
    def read_health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics", dependencies=[Depends(check_viewer)])
    def read_metrics() -> Response:
        return Response(metrics.render(), media_type=_METRICS_TYPE)

    @app.post("/v1/alertmanager", status_code=202, dependencies=[Depends(check)])
    def take_alerts(notification: Notification) -> dict[str, int]:
        try:
            answers = _take(notification, store, site=site(), cooldown=cooldown)
        except StoreError as error:
            raise HTTPException(503, f"{error}; send it again") from None
        for answer, number in answers.items():
            metrics.retrain_asks.labels(answer).inc(number)
        return answers

    @app.middleware("http")
    async def bound(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "0")
        if "transfer-encoding" in request.headers or not length.isdigit() or int(length) > _MAX_BODY_BYTES:
            return Response(f"the body is larger than {_MAX_BODY_BYTES} bytes or of unknown size", 413)
        return await call_next(request)

    return app


def _check(offered: HTTPAuthorizationCredentials | None, *tokens: str | None) -> None:
    """Let in who has one of the tokens; where the first one is not set, everybody."""
    if tokens[0] is None:
        return
    given = b"" if offered is None else offered.credentials.encode()
    # All of them are compared, so that the time tells nothing.
    found = [each is not None and secrets.compare_digest(given, each.encode()) for each in tokens]
    if not any(found):
        raise HTTPException(401, "needs `Authorization: Bearer TOKEN`", {"WWW-Authenticate": "Bearer"})


def _take(notification: Notification, store: RetrainStore, *, site: str, cooldown: timedelta) -> dict[str, int]:
    """Ask for what the alerts ask; how many were answered in which way.

    Alertmanager sends again after a 5xx only, and anything else is lost: whatever was understood is accepted.
    """
    answers: Counter[str] = Counter()
    now = datetime.now(UTC)
    for alert in notification.alerts:
        request = request_of(alert, site=site, now=now)
        answers["ignored" if request is None else store.ask(request, cooldown=cooldown)[1]] += 1
    return dict(answers)
