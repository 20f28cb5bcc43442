"""What became of a camera's pictures made durable: verdicts, episodes, and what people accepted; judges nothing."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from footfall.domain import DriftAcceptance, DriftEpisode, DriftVerdict, FeatureDrift
from footfall.errors import UnknownRecordError
from footfall.stores.database import MAX_ROWS, from_us, to_us
from footfall.stores.schema import drift_acceptances, drift_episodes, drift_verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from footfall.domain import DriftCause, DriftEnd
    from footfall.stores.database import Database

_TIMES: Final = {
    "begin_at": "begin_us",
    "end_at": "end_us",
    "at": "at_us",
    "since_at": "since_us",
    "opened_at": "opened_us",
    "last_at": "last_us",
    "batch_until": "batch_until_us",
    "closed_at": "closed_us",
    "begins_at": "begins_us",
    "until_at": "until_us",
}


class DriftStore:
    """Drift in a database. Safe to use from any thread and process; every call is one transaction.

    Every method raises StoreError when the database does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # Verdicts

    def put_verdict(self, verdict: DriftVerdict) -> bool:
        """Keep a verdict; False when this window was judged before, which stays: then nothing follows from this one."""
        row = _row(verdict) | {
            "recent": list(verdict.recent),
            "features": {name: list(dataclasses.astuple(each)) for name, each in verdict.features.items()},
            "evidence": list(verdict.evidence),
            "others": list(verdict.others),
        }
        statement = self._database.insert(drift_verdicts).values(row).on_conflict_do_nothing()
        with self._database.transaction() as connection:
            return bool(connection.execute(statement.returning(drift_verdicts.c.camera_id)).first())

    def attach_report(self, camera_id: str, begin_at: datetime, report_key: str) -> None:
        """Note where the report of a verdict is."""
        columns = drift_verdicts.c
        with self._database.transaction() as connection:
            connection.execute(
                sa.update(drift_verdicts)
                .where(columns.camera_id == camera_id, columns.begin_us == to_us(begin_at))
                .values(report_key=report_key)
            )

    def last_verdict(self, camera_id: str) -> DriftVerdict | None:
        """Return the verdict of the newest window of a camera; None before the first one."""
        columns = drift_verdicts.c
        query = sa.select(drift_verdicts).where(columns.camera_id == camera_id).order_by(columns.begin_us.desc())
        with self._database.transaction() as connection:
            row = connection.execute(query.limit(1)).mappings().one_or_none()
        return None if row is None else _verdict(row)

    def last_verdicts(self) -> dict[str, DriftVerdict]:
        """Return the verdict of the newest window of each camera that was ever judged."""
        columns = drift_verdicts.c
        newest = (
            sa.select(columns.camera_id, sa.func.max(columns.begin_us).label("begin_us"))
            .group_by(columns.camera_id)
            .subquery()
        )
        query = sa.select(drift_verdicts).join(
            newest, sa.and_(columns.camera_id == newest.c.camera_id, columns.begin_us == newest.c.begin_us)
        )
        with self._database.transaction() as connection:
            return {row["camera_id"]: _verdict(row) for row in connection.execute(query).mappings()}

    def verdict(self, camera_id: str, begin_at: datetime) -> DriftVerdict:
        """Return the verdict of a window.

        Raises:
            UnknownRecordError: it was not judged.
        """
        columns = drift_verdicts.c
        query = sa.select(drift_verdicts).where(columns.camera_id == camera_id, columns.begin_us == to_us(begin_at))
        with self._database.transaction() as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise UnknownRecordError(f"camera {camera_id!r}: no window from {begin_at.isoformat()} was judged")
        return _verdict(row)

    def verdicts(
        self, *, since: datetime, until: datetime, camera_ids: Sequence[str] | None = None, limit: int = MAX_ROWS
    ) -> list[DriftVerdict]:
        """Return verdicts of windows that began in [since, until), oldest first."""
        columns = drift_verdicts.c
        query = sa.select(drift_verdicts).where(columns.begin_us >= to_us(since), columns.begin_us < to_us(until))
        if camera_ids is not None:
            query = query.where(columns.camera_id.in_(list(camera_ids)))
        query = query.order_by(columns.begin_us, columns.camera_id).limit(min(limit, MAX_ROWS))
        with self._database.transaction() as connection:
            return [_verdict(row) for row in connection.execute(query).mappings()]

    def delete_before(self, at: datetime) -> int:
        """Delete verdicts of windows that began before; returns how many. Episodes and acceptances stay."""
        with self._database.transaction() as connection:
            return connection.execute(sa.delete(drift_verdicts).where(drift_verdicts.c.begin_us < to_us(at))).rowcount

    # Episodes

    def open_episode(self, episode: DriftEpisode) -> bool:
        """Open an episode; False when one of the camera is open: it stays as it is."""
        row = _row(episode) | {"open": episode.camera_id}
        statement = self._database.insert(drift_episodes).values(row).on_conflict_do_nothing()
        with self._database.transaction() as connection:
            return bool(connection.execute(statement.returning(drift_episodes.c.id)).first())

    def follow_episode(
        self, episode_id: str, *, cause: DriftCause, last_at: datetime, invalidates: bool, batch_until: datetime | None
    ) -> None:
        """Note what an open episode has come to; one that is over stays as it is."""
        columns = drift_episodes.c
        values: dict[str, Any] = {"cause": cause, "last_us": to_us(last_at), "invalidates": invalidates}
        if batch_until is not None:
            values["batch_until_us"] = to_us(batch_until)
        with self._database.transaction() as connection:
            connection.execute(
                sa.update(drift_episodes).where(columns.id == episode_id, columns.open.is_not(None)).values(values)
            )

    def open_batch(self, episode_id: str, *, until: datetime) -> DriftEpisode:
        """Have pictures drawn for labels until then.

        Raises:
            UnknownRecordError: there is no such episode.
        """
        with self._database.transaction() as connection:
            connection.execute(
                sa.update(drift_episodes).where(drift_episodes.c.id == episode_id).values(batch_until_us=to_us(until))
            )
        return self.episode(episode_id)

    def end_episode(self, episode_id: str, end: DriftEnd, *, at: datetime, by: str, note: str = "") -> DriftEpisode:
        """Close an episode; one that is over stays as it is. Returns it.

        Raises:
            UnknownRecordError: there is no such episode.
        """
        columns = drift_episodes.c
        with self._database.transaction() as connection:
            connection.execute(
                sa.update(drift_episodes)
                .where(columns.id == episode_id, columns.open.is_not(None))
                .values(open=None, end=end, closed_us=to_us(at), closed_by=by, note=note)
            )
        return self.episode(episode_id)

    def episode(self, episode_id: str) -> DriftEpisode:
        """Return an episode.

        Raises:
            UnknownRecordError: there is none by this id.
        """
        query = sa.select(drift_episodes).where(drift_episodes.c.id == episode_id)
        with self._database.transaction() as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise UnknownRecordError(f"drift episode {episode_id!r}: is not there")
        return _episode(row)

    def open_episodes(self) -> dict[str, DriftEpisode]:
        """Return the open episode of each camera that has one."""
        query = sa.select(drift_episodes).where(drift_episodes.c.open.is_not(None)).order_by(drift_episodes.c.since_us)
        with self._database.transaction() as connection:
            return {row["camera_id"]: _episode(row) for row in connection.execute(query).mappings()}

    def episodes(
        self, *, since: datetime, camera_ids: Sequence[str] | None = None, limit: int = 1000
    ) -> list[DriftEpisode]:
        """Return episodes that were not over at `since`, newest first."""
        columns = drift_episodes.c
        query = sa.select(drift_episodes).where(sa.or_(columns.closed_us.is_(None), columns.closed_us >= to_us(since)))
        if camera_ids is not None:
            query = query.where(columns.camera_id.in_(list(camera_ids)))
        query = query.order_by(columns.since_us.desc(), columns.id).limit(min(limit, MAX_ROWS))
        with self._database.transaction() as connection:
            return [_episode(row) for row in connection.execute(query).mappings()]

    def invalidating(self, *, since: datetime, until: datetime) -> list[DriftEpisode]:
        """Return episodes because of which counts in [since, until) mean something else than they say, oldest first."""
        columns = drift_episodes.c
        query = (
            sa.select(drift_episodes)
            .where(
                columns.invalidates,
                columns.since_us < to_us(until),
                sa.or_(columns.closed_us.is_(None), columns.closed_us > to_us(since)),
            )
            .order_by(columns.since_us, columns.id)
        )
        with self._database.transaction() as connection:
            return [_episode(row) for row in connection.execute(query).mappings()]

    def invalid_spans(self, *, since: datetime, until: datetime) -> dict[str, list[tuple[datetime, datetime | None]]]:
        """Return when counts of each camera mean something else than they say, in [since, until), oldest first.

        A span ends when the episode was closed, or is open: None.
        """
        spans: dict[str, list[tuple[datetime, datetime | None]]] = {}
        for episode in self.invalidating(since=since, until=until):
            spans.setdefault(episode.camera_id, []).append((episode.since_at, episode.closed_at))
        return spans

    # Acceptances

    def accept(self, acceptance: DriftAcceptance) -> None:
        """Keep what somebody accepted; earlier ones stay as a trail."""
        with self._database.transaction() as connection:
            connection.execute(sa.insert(drift_acceptances).values(_row(acceptance)))

    def newest_acceptances(self) -> dict[str, DriftAcceptance]:
        """Return the acceptance that holds for each camera that has one."""
        columns = drift_acceptances.c
        newest = sa.select(sa.func.max(columns.number)).group_by(columns.camera_id)
        query = sa.select(drift_acceptances).where(columns.number.in_(newest))
        with self._database.transaction() as connection:
            found = [DriftAcceptance(**_values(DriftAcceptance, row)) for row in connection.execute(query).mappings()]
        return {acceptance.camera_id: acceptance for acceptance in found}

    def acceptances(self, camera_id: str) -> list[DriftAcceptance]:
        """Return what was accepted of a camera, newest first."""
        columns = drift_acceptances.c
        query = sa.select(drift_acceptances).where(columns.camera_id == camera_id).order_by(columns.number.desc())
        with self._database.transaction() as connection:
            return [DriftAcceptance(**_values(DriftAcceptance, row)) for row in connection.execute(query).mappings()]


def _row(record: DriftVerdict | DriftEpisode | DriftAcceptance) -> dict[str, Any]:
    row = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if field.name in _TIMES:
            row[_TIMES[field.name]] = None if value is None else to_us(value)
        else:
            row[field.name] = value
    return row


def _values(kind: type, row: Any) -> dict[str, Any]:  # noqa: ANN401  a row of any of these tables
    values = {}
    for field in dataclasses.fields(kind):
        if field.name in _TIMES:
            us = row[_TIMES[field.name]]
            values[field.name] = None if us is None else from_us(us)
        else:
            values[field.name] = row[field.name]
    return values


def _verdict(row: Any) -> DriftVerdict:  # noqa: ANN401  a row of `drift_verdicts`
    values = _values(DriftVerdict, row)
    for name in ("recent", "evidence", "others"):
        values[name] = tuple(values[name])
    values["features"] = {name: FeatureDrift(*numbers) for name, numbers in values["features"].items()}
    return DriftVerdict(**values)


def _episode(row: Any) -> DriftEpisode:  # noqa: ANN401  a row of `drift_episodes`
    return DriftEpisode(**_values(DriftEpisode, row))
