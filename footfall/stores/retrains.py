"""Requests for a better model made durable: asked once, run once, one at a time for a site; starts nothing."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from footfall.domain import LabelBatch, RetrainProgress, RetrainRequest
from footfall.errors import UnknownRecordError
from footfall.stores.database import from_us, to_us
from footfall.stores.schema import models, retrain_requests, settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from footfall.domain import RetrainAnswer, RetrainOutcome
    from footfall.stores.database import Database

_TIMES: Final = {"at": "at_us", "launched_at": "launched_us", "cancel_at": "cancel_us", "ended_at": "ended_us"}
_PROGRESS: Final = "retrain_progress/"
_BATCH: Final = "label_batch/"
_FREE: Final = frozenset({"failed", "cancelled", "insufficient_labels"})
"""After such an end the same may be asked for again; a model that was rejected or promoted answers it for good."""


class RetrainStore:
    """Requests in a database. Safe to use from any thread and process; every call is one transaction.

    Every method raises StoreError when the database does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(
        self, request: RetrainRequest, *, cooldown: timedelta, is_forced: bool = False
    ) -> tuple[RetrainRequest, RetrainAnswer]:
        """Store a request unless there is a reason not to; returns it, or the one that stands in its way, and which.

        Args:
            cooldown: since the end of the site's last request that was not cancelled.
            is_forced: somebody insists: only a request that is active stands in the way.
        """
        columns = retrain_requests.c
        with self._database.transaction() as connection:
            if not is_forced:
                same = self._one(connection, columns.key == request.key)
                if same is not None:
                    return same, "duplicate"
            active = self._one(connection, columns.active == request.site)
            if active is not None:
                # Also one that came between the two looks.
                return active, "duplicate" if active.key == request.key and not is_forced else "active"
            if not is_forced:
                since_us = to_us(request.at - cooldown)
                last = self._one(
                    connection,
                    sa.and_(columns.site == request.site, columns.ended_us > since_us, columns.outcome != "cancelled"),
                )
                if last is not None:
                    return last, "cooldown"
            row = _row(request) | {"active": request.site, "key": None if is_forced else request.key}
            connection.execute(self._database.insert(retrain_requests).values(row).on_conflict_do_nothing())
            stored = self._one(connection, columns.id == request.id)
            if stored is not None:
                return stored, "created"
        # Somebody else asked at the same moment and was first.
        return self.ask(request, cooldown=cooldown, is_forced=is_forced)

    def claim(self, holder: str, *, now: datetime, lease: timedelta) -> RetrainRequest | None:
        """Take or keep the care for the active request of any site that nobody else cares for; None without one."""
        columns = retrain_requests.c
        is_free = sa.or_(
            columns.claimed_by.is_(None), columns.claimed_by == holder, columns.claimed_until_us < to_us(now)
        )
        with self._database.transaction() as connection:
            oldest = sa.select(columns.id).where(columns.active.is_not(None), is_free).order_by(columns.at_us).limit(1)
            request_id = connection.scalar(oldest)
            if request_id is None:
                return None
            taken = connection.execute(
                sa.update(retrain_requests)
                .where(columns.id == request_id, is_free)
                .values(claimed_by=holder, claimed_until_us=to_us(now + lease))
            )
            return self._one(connection, columns.id == request_id) if taken.rowcount == 1 else None

    def launched(self, request_id: str, handle: Mapping[str, Any], *, at: datetime) -> None:
        """Note that it runs."""
        self._set(request_id, state="running", handle=dict(handle), launched_us=to_us(at))

    def ended(self, request_id: str, outcome: RetrainOutcome, note: str, *, at: datetime) -> None:
        """Note how it ended; the site is free for the next one."""
        freed = {"key": None} if outcome in _FREE else {}
        self._set(request_id, state="ended", active=None, outcome=outcome, note=note, ended_us=to_us(at), **freed)

    def cancel(self, request_id: str, *, at: datetime) -> RetrainRequest:
        """Want it to end; one that waits and that nobody cares for ends at once, one that ended stays as it is.

        Raises:
            UnknownRecordError: there is no such request.
        """
        columns = retrain_requests.c
        # Who cared for it may be gone for good, and the site must not wait for that one for ever.
        is_free = sa.or_(columns.claimed_by.is_(None), columns.claimed_until_us < to_us(at))
        with self._database.transaction() as connection:
            connection.execute(
                sa.update(retrain_requests)
                .where(columns.id == request_id, columns.state == "running", columns.cancel_us.is_(None))
                .values(cancel_us=to_us(at))
            )
            connection.execute(
                sa.update(retrain_requests)
                .where(columns.id == request_id, columns.state == "waiting", is_free)
                .values(
                    state="ended",
                    active=None,
                    key=None,
                    outcome="cancelled",
                    note="before it began",
                    cancel_us=to_us(at),
                    ended_us=to_us(at),
                )
            )
            connection.execute(
                sa.update(retrain_requests)
                .where(columns.id == request_id, columns.state == "waiting", columns.cancel_us.is_(None))
                .values(cancel_us=to_us(at))
            )
        return self.request(request_id)

    def request(self, request_id: str) -> RetrainRequest:
        """Return a request.

        Raises:
            UnknownRecordError: there is none by this id.
        """
        with self._database.transaction() as connection:
            found = self._one(connection, retrain_requests.c.id == request_id)
        if found is None:
            raise UnknownRecordError(f"retrain request {request_id!r}: is not there")
        return found

    def requests(self, *, limit: int = 100) -> list[RetrainRequest]:
        """Return requests, newest first."""
        columns = retrain_requests.c
        query = sa.select(retrain_requests).order_by(columns.at_us.desc(), columns.id).limit(limit)
        with self._database.transaction() as connection:
            return [_request(row) for row in connection.execute(query).mappings()]

    def counts(self) -> dict[str, int]:
        """Return how many there are by outcome; those that are not over by state."""
        columns = retrain_requests.c
        kind = sa.func.coalesce(columns.outcome, columns.state)
        with self._database.transaction() as connection:
            found = connection.execute(sa.select(kind, sa.func.count()).group_by(kind))
            return {str(name): int(number) for name, number in found}

    def running(self) -> list[RetrainRequest]:
        """Return those that run, oldest first: one of a site at most."""
        columns = retrain_requests.c
        query = sa.select(retrain_requests).where(columns.state == "running").order_by(columns.at_us)
        with self._database.transaction() as connection:
            return [_request(row) for row in connection.execute(query).mappings()]

    def last_ends(self) -> dict[tuple[str, RetrainOutcome], datetime]:
        """Return when a request of a site last ended so, by site and outcome."""
        columns = retrain_requests.c
        query = (
            sa.select(columns.site, columns.outcome, sa.func.max(columns.ended_us))
            .where(columns.ended_us.is_not(None))
            .group_by(columns.site, columns.outcome)
        )
        with self._database.transaction() as connection:
            return {(site, outcome): from_us(ended_us) for site, outcome, ended_us in connection.execute(query)}

    def rejections(self) -> dict[str, tuple[str, ...]]:
        """Return by site which gates rejected the newest request that ended; only sites where any did."""
        columns = retrain_requests.c
        newest = (
            sa.select(columns.site, sa.func.max(columns.ended_us).label("ended_us"))
            .where(columns.ended_us.is_not(None), columns.outcome.in_(("rejected", "promoted")))
            .group_by(columns.site)
            .subquery()
        )
        query = (
            sa.select(columns.site, models.c.gates)
            .join(newest, sa.and_(columns.site == newest.c.site, columns.ended_us == newest.c.ended_us))
            .join(models, sa.and_(models.c.run == columns.id, models.c.is_rejected))
        )
        with self._database.transaction() as connection:
            found = connection.execute(query).all()
        # Where none failed, what had to be proven was not measured.
        return {
            site: tuple(gate["name"] for gate in (report or {}).get("gates", ()) if gate["passed"] is False)
            or ("G1 new",)
            for site, report in found
        }

    def note_progress(self, request_id: str, progress: RetrainProgress) -> None:
        """Keep how far a run is, in place of what it told before."""
        content = dataclasses.asdict(progress) | {"at": progress.at.isoformat()}
        self._database.set_setting(f"{_PROGRESS}{request_id}", json.dumps(content))

    def progress(self, request_id: str) -> RetrainProgress | None:
        """Return what its run told last; None where it told nothing yet, or of another version of Footfall."""
        kept = self._database.setting(f"{_PROGRESS}{request_id}")
        if kept is None:
            return None
        content = json.loads(kept)
        try:
            return RetrainProgress(**content | {"at": datetime.fromisoformat(content["at"])})
        except TypeError:
            return None

    def open_batch(self, batch: LabelBatch) -> None:
        """Keep a batch, in place of an earlier one of the same request."""
        content = dataclasses.asdict(batch) | {"at": batch.at.isoformat()}
        self._database.set_setting(f"{_BATCH}{batch.request}", json.dumps(content))

    def batch(self, request_id: str) -> LabelBatch | None:
        """Return the batch of a request; None where it opened none."""
        kept = self._database.setting(f"{_BATCH}{request_id}")
        if kept is None:
            return None
        content = json.loads(kept)
        told = {
            "at": datetime.fromisoformat(content["at"]),
            "frames": tuple(content["frames"]),
            "for_two": tuple(content.get("for_two", ())),  # one that is older has none
        }
        return LabelBatch(**content | told)

    def for_two(self) -> frozenset[str]:
        """Return the frames of all batches that two people label."""
        query = sa.select(settings.c.value).where(settings.c.key.startswith(_BATCH, autoescape=True))
        with self._database.transaction() as connection:
            kept = [json.loads(content) for content in connection.scalars(query)]
        return frozenset(frame for content in kept for frame in content.get("for_two", ()))

    def _set(self, request_id: str, **values: Any) -> None:  # noqa: ANN401  columns
        with self._database.transaction() as connection:
            connection.execute(sa.update(retrain_requests).where(retrain_requests.c.id == request_id).values(**values))

    @staticmethod
    def _one(connection: sa.Connection, where: sa.ColumnElement[bool]) -> RetrainRequest | None:
        query = sa.select(retrain_requests).where(where).order_by(retrain_requests.c.at_us.desc()).limit(1)
        row = connection.execute(query).mappings().one_or_none()
        return None if row is None else _request(row)


def _row(request: RetrainRequest) -> dict[str, Any]:
    row = {
        _TIMES.get(field.name, field.name): getattr(request, field.name) for field in dataclasses.fields(RetrainRequest)
    }
    for column in _TIMES.values():
        row[column] = None if row[column] is None else to_us(row[column])
    return row | {"handle": dict(request.handle)}


def _request(row: Any) -> RetrainRequest:  # noqa: ANN401  a row of `retrain_requests`
    values = {field.name: row[_TIMES.get(field.name, field.name)] for field in dataclasses.fields(RetrainRequest)}
    for name in _TIMES:
        values[name] = None if values[name] is None else from_us(values[name])
    return RetrainRequest(**values)
