"""Puts the API and the pages together; starts nothing."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING

from anyio import CapacityLimiter
from fastapi import FastAPI

from footfall import __version__
from service.api import (
    admission,
    cameras,
    counts,
    drift,
    events,
    labelsets,
    live,
    login,
    models,
    probes,
    quality,
    retrains,
    review,
    samples,
    system,
    truth,
)
from service.api.auth import Guard, Sessions
from service.api.problems import add_problem_handlers
from service.web.pages import add_pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.api.services import Services

_DESCRIPTION = """Counts of people on the cameras of a building, with how far each count can be trusted.

Times are UTC. Points are shares of the picture's width and height, origin top left. A second in which a camera gave no
picture is *uncovered*, never "zero people": read `coverage` beside every count. Errors are `application/problem+json`.
"""


def create_app(services: Services, *, now_s: Callable[[], float] = time.time) -> FastAPI:
    """Return the application: `/api/v1`, health, metrics and pages, with access guarded.

    Args:
        now_s: Unix time; sessions end by it.
    """
    app = FastAPI(
        title="Footfall",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # the usual pages load scripts from elsewhere
        redoc_url=None,
    )
    token, viewer_token = (
        None if each is None else each.get_secret_value()
        for each in (services.settings.api_token, services.settings.viewer_token)
    )
    sessions = Sessions(token, now_s, viewer_token=viewer_token)
    app.state.services = services
    app.state.sessions = sessions
    # Threads that wait for pictures and events are not those that answer requests, so viewers cannot starve the API.
    app.state.waiter_limiter = CapacityLimiter(live.MAX_STREAMS + events.MAX_SOCKETS)
    app.state.stream_limiter = CapacityLimiter(live.MAX_STREAMS)
    app.state.socket_limiter = CapacityLimiter(events.MAX_SOCKETS)
    app.state.ready_limiter = CapacityLimiter(2)
    app.state.login_limiter = CapacityLimiter(1)
    app.state.probe_limiter = CapacityLimiter(probes.MAX_PROBES)
    app.state.labelset_lock = Lock()
    add_problem_handlers(app)
    for router in (
        probes.router,
        events.router,
        live.router,
        truth.router,
        cameras.router,
        admission.router,
        counts.router,
        samples.router,
        review.router,
        labelsets.router,
        quality.router,
        retrains.router,
        drift.router,
        models.router,
        system.router,
    ):
        app.include_router(router)
    app.include_router(login.router)
    add_pages(
        app,
        cameras=services.database.cameras,
        camera=services.database.camera,
        has_login=sessions.is_needed,
    )
    app.add_middleware(Guard, sessions=sessions, is_loopback=services.settings.is_loopback)
    return app
