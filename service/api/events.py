"""Committed events: paged by cursor, newest first for a camera, and live over a WebSocket."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Path, Query, WebSocket, WebSocketDisconnect
from pydantic import AwareDatetime, BaseModel, Field

from footfall.domain import NAME_PATTERN, Crossing, Record, StateChange, ZoneVisit
from service.api.answers import CrossingAnswer, EventAnswer, StateAnswer, VisitAnswer, event_answer
from service.api.problems import RESPONSES, invalid
from service.api.services import Services, ServicesDep

router = APIRouter(prefix="/api/v1", tags=["events"], responses=RESPONSES)

MAX_SOCKETS: Final = 64
_POLL_S: Final = 1.0
_SEND_TIMEOUT_S: Final = 10.0
CameraQuery = Annotated[str | None, Query(pattern=NAME_PATTERN, description="Only this camera.")]
CameraId = Annotated[str, Path(pattern=NAME_PATTERN, description="Id of the camera.")]


class StoredCrossing(CrossingAnswer):
    """A crossing with its place in the order of commits."""

    cursor: int = Field(description="Only grows.")


class StoredVisit(VisitAnswer):
    """A visit with its place in the order of commits."""

    cursor: int = Field(description="Only grows.")


StoredAnswer = StoredCrossing | StoredVisit


class EventPageAnswer(BaseModel):
    """Events in the order in which they were committed."""

    events: list[StoredAnswer]
    next_cursor: int | None = Field(description="Ask for `after` this one next; null at the end for now.")


@router.get("/events", summary="Crossings and visits, oldest first")
def read_events(  # noqa: PLR0917  query parameters, given by name
    services: ServicesDep,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="Cursor of the last event already known.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most events in the answer.")] = 100,
    camera: CameraQuery = None,
    since: Annotated[AwareDatetime | None, Query(description="Only events at or after this time.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Only events before this time.")] = None,
) -> EventPageAnswer:
    """Return a page of events; reading on with `next_cursor` misses none and repeats none."""
    if since is not None and until is not None and since >= until:
        raise invalid("since", "not before `until`; expected an earlier time")
    if camera is not None:
        services.database.camera(camera)
    page = services.database.events(after=after, limit=limit, camera_id=camera, since=since, until=until)
    return EventPageAnswer(
        events=[_stored(event.cursor, event.record) for event in page.events], next_cursor=page.next_cursor
    )


@router.get("/cameras/{camera_id}/events", summary="A camera's newest events")
def read_newest(
    camera_id: CameraId, services: ServicesDep, limit: Annotated[int, Query(ge=1, le=200)] = 20
) -> list[StoredAnswer]:
    """Return the newest events of a camera, newest first."""
    services.database.camera(camera_id)
    return [_stored(event.cursor, event.record) for event in services.database.newest_events(camera_id, limit)]


@router.get("/cameras/{camera_id}/states", summary="A camera's state changes", tags=["cameras"])
def read_states(
    camera_id: CameraId,
    services: ServicesDep,
    since: Annotated[AwareDatetime | None, Query(description="Start; default: a day before `until`.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="End; default: now.")] = None,
) -> list[StateAnswer]:
    """Return when the camera came into which state, oldest first; at most 31 days."""
    end = until or datetime.now(UTC)
    start = since or end - timedelta(days=1)
    if start >= end or end - start > timedelta(days=31):
        raise invalid("since", "expected a time before `until`, at most 31 days earlier")
    services.database.camera(camera_id)
    return [StateAnswer.of(change) for change in services.database.states(camera_id, since=start, until=end)]


@router.websocket("/events/live")
async def live_events(socket: WebSocket, services: ServicesDep, camera: CameraQuery = None) -> None:
    """Send every event as one JSON text when it is committed; what the client sends is ignored."""
    limiter: CapacityLimiter = socket.app.state.socket_limiter
    if limiter.available_tokens < 1:
        await socket.close(1013, f"{MAX_SOCKETS} clients listen already; try again later")
        return
    async with limiter:
        await socket.accept()
        sender = asyncio.create_task(_send_events(socket, services, camera))
        try:
            while True:
                await socket.receive()
        except (WebSocketDisconnect, RuntimeError):
            pass  # gone
        finally:
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError, TimeoutError):
                await sender


async def _send_events(socket: WebSocket, services: Services, camera: str | None) -> None:
    waiters: CapacityLimiter = socket.app.state.waiter_limiter
    subscription = services.events.subscribe()
    try:
        while not services.stopping.is_set():
            record = await to_thread.run_sync(subscription.get, _POLL_S, limiter=waiters, abandon_on_cancel=True)
            if record is None or (camera is not None and record.camera_id != camera):
                continue
            answer = _live_answer(record)
            if answer is not None:
                await asyncio.wait_for(socket.send_text(answer.model_dump_json()), _SEND_TIMEOUT_S)
        await socket.close(1012)
    finally:
        subscription.close()


def _live_answer(record: Record) -> EventAnswer | StateAnswer | None:
    if isinstance(record, StateChange):
        return StateAnswer.of(record)
    return event_answer(record) if isinstance(record, Crossing | ZoneVisit) else None


def _stored(cursor: int, record: Crossing | ZoneVisit) -> StoredAnswer:
    answer = event_answer(record)
    kind = StoredCrossing if isinstance(answer, CrossingAnswer) else StoredVisit
    return kind(cursor=cursor, **answer.model_dump())
