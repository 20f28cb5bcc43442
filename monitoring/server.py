"""The monitor over HTTP: metrics and health; knows no figures."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from footfall import __version__

if TYPE_CHECKING:
    from monitoring.metrics import MonitorMetrics

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


def create_app(metrics: MonitorMetrics, *, token: str | None) -> FastAPI:
    """Return the application; without a token everybody who can reach it may read the metrics."""
    app = FastAPI(title="Footfall monitor", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)

    def check(offered: _Bearer) -> None:
        if token is not None and (
            offered is None or not secrets.compare_digest(offered.credentials.encode(), token.encode())
        ):
            raise HTTPException(401, "needs `Authorization: Bearer TOKEN`", {"WWW-Authenticate": "Bearer"})

    @app.get("/healthz")
    def read_health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics", dependencies=[Depends(check)])
    def read_metrics() -> Response:
        return Response(metrics.render(), media_type=_METRICS_TYPE)

    return app
