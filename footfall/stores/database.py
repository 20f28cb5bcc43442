"""Counts, events, cameras and statistics made durable; the only file that knows SQLAlchemy's engine."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from footfall.domain import (
    Camera,
    CameraState,
    Coverage,
    Crossing,
    FrameStatistics,
    Line,
    Sampling,
    StateChange,
    Zone,
    ZoneVisit,
)
from footfall.errors import SchemaVersionError, StoreError, UnknownRecordError
from footfall.stores.schema import (
    cameras,
    coverage_minutes,
    events,
    frame_statistics,
    line_minutes,
    settings,
    state_changes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from footfall.domain import Record

Bucket = Literal["minute", "hour", "day"]
BUCKET_LENGTHS: Final[dict[Bucket, timedelta]] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
MAX_ROWS: Final = 100_000
_LAYOUT: Final = "layout"
"""Of a statistics row: the one value that is a list."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE_US: Final = 60_000_000
_TOTALS: Final = ("n_in", "n_out", "undone_in", "undone_out")
"""Columns of a minute's crossings."""


@dataclass(frozen=True, slots=True)
class CountRow:
    """What was counted at one line in one stretch of time.

    Attributes:
        bucket_at: start of the bucket; aware UTC.
        seconds: how much of the bucket was asked for and is past.
        watched_s: of these, in which the camera was watched.
        coverage: watched_s / seconds in [0, 1]; counts of the rest are unknown, not zero.
    """

    camera_id: str
    line: str
    bucket_at: datetime
    in_: int
    out: int
    effective_in: int
    effective_out: int
    watched_s: float
    seconds: float
    coverage: float


@dataclass(frozen=True, slots=True)
class ZoneCountRow:
    """Visits of one zone that ended in one stretch of time; see `CountRow`.

    Attributes:
        mean_dwell_s: None without visits.
    """

    camera_id: str
    zone: str
    bucket_at: datetime
    visits: int
    left: int
    lost: int
    mean_dwell_s: float | None
    watched_s: float
    seconds: float
    coverage: float


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event and its place in the order of commits."""

    cursor: int
    record: Crossing | ZoneVisit


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events.

    Attributes:
        next_cursor: give it as `after` for the next page; None when there is none now.
    """

    events: tuple[StoredEvent, ...]
    next_cursor: int | None


class Database:
    """One SQLite file or PostgreSQL database. Safe to use from any thread; every call is one transaction.

    Args:
        url: SQLAlchemy URL; may hold a password, which is in no error.
    """

    def __init__(self, url: str) -> None:
        try:
            self._url = sa.make_url(url)
        except SQLAlchemyError:
            raise StoreError(
                "database_url: is no SQLAlchemy URL; expected sqlite:///FILE or postgresql+psycopg://…"
            ) from None
        self.kind = self._url.get_backend_name()
        if self.kind not in {"sqlite", "postgresql"}:
            raise StoreError(f"database_url: {self.kind!r} is not supported; expected sqlite or postgresql+psycopg")
        if self.kind == "sqlite" and self._url.database not in {None, "", ":memory:"}:
            self._prepare_file(Path(str(self._url.database)))
        arguments: dict[str, Any] = (
            {"timeout": 5.0, "check_same_thread": False} if self.kind == "sqlite" else {"connect_timeout": 5}
        )
        try:
            self._engine = sa.create_engine(self._url, connect_args=arguments, hide_parameters=True, pool_pre_ping=True)
        except (SQLAlchemyError, ImportError) as error:
            raise StoreError(
                f"database_url: {self.kind} cannot be used ({type(error).__name__}); "
                "PostgreSQL needs the `postgres` extra"
            ) from None
        if self.kind == "sqlite":
            sa.event.listen(self._engine, "connect", _prepare_sqlite)
            # Python's driver begins transactions late; then two writers deadlock instead of waiting.
            sa.event.listen(self._engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))

    @staticmethod
    def _prepare_file(path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # It holds camera passwords: nobody else may read it.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StoreError(f"database {str(path)!r}: cannot be opened ({error.strerror})") from None

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Run statements that are kept together or not at all; for the stores of this package.

        Raises:
            StoreError: in place of what the database raised; holds no password.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None)
            detail = str(cause).splitlines()[0][:200] if cause and str(cause) else type(error).__name__
            password = self._url.password
            if password:
                detail = detail.replace(str(password), "***")
            raise StoreError(f"database ({self.kind}): {detail}") from None

    def migrate(self) -> None:
        """Bring the tables to the present shape.

        Raises:
            SchemaVersionError: a newer Footfall wrote this database; nothing was changed.
            StoreError: cannot be reached.
        """
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        script = ScriptDirectory.from_config(config)
        with self.transaction() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
            if current is not None and current not in {each.revision for each in script.walk_revisions()}:
                raise SchemaVersionError(
                    f"database ({self.kind}): has schema version {current!r}, this Footfall knows up to "
                    f"{script.get_current_head()!r}; it was left as it is. Start the newer Footfall that wrote it"
                )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def ping(self) -> None:
        """Ask for an answer.

        Raises:
            StoreError: there is none.
        """
        with self.transaction() as connection:
            connection.execute(sa.text("SELECT 1"))

    # Settings and cameras

    def setting(self, key: str) -> str | None:
        """Return a stored value; None when there is none."""
        with self.transaction() as connection:
            value: str | None = connection.scalar(sa.select(settings.c.value).where(settings.c.key == key))
            return value

    def set_setting(self, key: str, value: str) -> None:
        """Store a value."""
        with self.transaction() as connection:
            connection.execute(
                self.insert(settings)
                .values(key=key, value=value)
                .on_conflict_do_update(index_elements=["key"], set_={"value": value})
            )

    def cameras(self) -> list[Camera]:
        """Return every camera in the order in which they were added."""
        with self.transaction() as connection:
            rows = connection.execute(sa.select(cameras).order_by(cameras.c.position, cameras.c.id)).mappings()
            return [_camera(row) for row in rows]

    def camera(self, camera_id: str) -> Camera:
        """Return one camera.

        Raises:
            UnknownRecordError: there is none of this id.
        """
        with self.transaction() as connection:
            row = connection.execute(sa.select(cameras).where(cameras.c.id == camera_id)).mappings().first()
        if row is None:
            raise UnknownRecordError(f"camera {camera_id!r}: there is none of this id")
        return _camera(row)

    def put_camera(self, camera: Camera) -> None:
        """Add a camera, or replace it and keep its place."""
        values = {
            "name": camera.name,
            "enabled": camera.enabled,
            "target_fps": camera.target_fps,
            "priority": camera.priority,
            "transport": camera.transport,
            "loop": camera.loop,
            "lines": [[line.name, line.start, line.end] for line in camera.lines],
            "zones": [[zone.name, zone.polygon, zone.min_inside_s] for zone in camera.zones],
            "sampling": None if camera.sampling is None else dataclasses.asdict(camera.sampling),
        }
        with self.transaction() as connection:
            place = connection.scalar(sa.select(sa.func.coalesce(sa.func.max(cameras.c.position), -1) + 1))
            connection.execute(
                self.insert(cameras)
                .values(id=camera.id, position=place, url=camera.url, settings=values)
                .on_conflict_do_update(index_elements=["id"], set_={"url": camera.url, "settings": values})
            )

    def delete_camera(self, camera_id: str) -> None:
        """Forget a camera; what it counted stays.

        Raises:
            UnknownRecordError: there is none of this id.
        """
        with self.transaction() as connection:
            if not connection.execute(sa.delete(cameras).where(cameras.c.id == camera_id)).rowcount:
                raise UnknownRecordError(f"camera {camera_id!r}: there is none of this id")

    # Records

    def store(self, records: Sequence[Record]) -> list[Record]:
        """Make records durable in one transaction.

        Returns:
            Those that were new, in order: an event stored before is not stored and not counted again. Coverage, states
            and statistics are always new.
        """
        if not records:
            return []
        with self.transaction() as connection:
            if self.kind == "postgresql":
                # Cursors must become visible in their order, or a reader who goes by them misses one.
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(704771)"))
            minutes: dict[tuple[str, str, int], dict[str, Any]] = {}
            new = [
                record
                for record in records
                if not isinstance(record, Crossing | ZoneVisit) or self._store_event(connection, record, minutes)
            ]
            # One statement for all rows of a kind: making and preparing it costs several times what a row does.
            for statement, rows in (
                (self._insert_minutes, list(minutes.values())),
                (self._insert_coverage, _coverage_rows(records)),
                (self._insert_state, [_state_row(each) for each in records if isinstance(each, StateChange)]),
                (self._insert_statistics, [_values_row(each) for each in records if isinstance(each, FrameStatistics)]),
            ):
                if rows:
                    connection.execute(statement, rows)
        return new

    def _store_event(
        self,
        connection: sa.Connection,
        record: Crossing | ZoneVisit,
        minutes: dict[tuple[str, str, int], dict[str, Any]],
    ) -> bool:
        """Store an event and add it to the minutes' totals, which are yet to be stored; tells whether it was new."""
        if connection.execute(self._insert_event, _event_row(record)).first() is None:
            return False
        if isinstance(record, Crossing):
            undone = 0
            if record.undoes is not None:
                earlier = connection.execute(
                    sa.select(events.c.at_us, events.c.outcome).where(events.c.id == record.undoes)
                ).first()
                if earlier is not None:
                    # The crossing taken back may lie in an earlier minute: each minute loses its own half of the pair.
                    undone = 1
                    _add_to_minute(minutes, record, earlier.at_us, **{f"undone_{earlier.outcome}": 1})
            direction = record.direction
            _add_to_minute(minutes, record, to_us(record.at), **{f"n_{direction}": 1, f"undone_{direction}": undone})
        return True

    @functools.cached_property
    def _insert_event(self) -> sa.Executable:
        statement: sa.Executable = self.insert(events).on_conflict_do_nothing().returning(events.c.cursor)
        return statement

    @functools.cached_property
    def _insert_minutes(self) -> sa.Executable:
        insert = self.insert(line_minutes)
        statement: sa.Executable = insert.on_conflict_do_update(
            index_elements=["camera_id", "line", "minute_us"],
            set_={name: line_minutes.c[name] + insert.excluded[name] for name in _TOTALS},
        )
        return statement

    @functools.cached_property
    def _insert_coverage(self) -> sa.Executable:
        insert = self.insert(coverage_minutes)
        least = sa.func.min if self.kind == "sqlite" else sa.func.least
        statement: sa.Executable = insert.on_conflict_do_update(
            index_elements=["camera_id", "minute_us"],
            set_={
                "watched_s": least(60.0, coverage_minutes.c.watched_s + insert.excluded.watched_s),
                "analysed": coverage_minutes.c.analysed + insert.excluded.analysed,
            },
        )
        return statement

    _insert_state: Final = sa.insert(state_changes)
    _insert_statistics: Final = sa.insert(frame_statistics)

    def insert(self, table: sa.Table) -> Any:  # noqa: ANN401  the two dialects share no type that has `on_conflict…`
        """Begin an insert that can say what happens when the row is there already."""
        return sqlite.insert(table) if self.kind == "sqlite" else postgresql.insert(table)

    # Answers

    def counts(
        self,
        *,
        since: datetime,
        until: datetime,
        bucket: Bucket,
        camera_ids: Sequence[str] | None = None,
        now: datetime | None = None,
    ) -> list[CountRow]:
        """Return what was counted per line and bucket in [since, until), buckets in UTC, empty ones included.

        Args:
            camera_ids: all cameras without it.
            now: seconds after it are not held against the coverage; the clock's time without it.

        Raises:
            StoreError: more than 100 000 rows were asked for.
        """
        until = min(until, now or datetime.now(UTC))
        buckets = _buckets(since, until, bucket)
        with self.transaction() as connection:
            lines = self._places(connection, "crossing", since, until, camera_ids)
            _check_rows(len(lines) * len(buckets))
            covered = self._covered(connection, since, until, bucket, camera_ids)
            totals: dict[tuple[str, str, int], list[int]] = {}
            columns = line_minutes.c
            for row in connection.execute(
                sa.select(line_minutes).where(
                    columns.minute_us >= _minute_us(since),
                    columns.minute_us < to_us(until),
                    *_among(columns, camera_ids),
                )
            ):
                key = (row.camera_id, row.line, _bucket_us(row.minute_us, bucket))
                total = totals.setdefault(key, [0, 0, 0, 0])
                for index, value in enumerate((row.n_in, row.n_out, row.undone_in, row.undone_out)):
                    total[index] += value
        rows = []
        for camera_id, line in lines:
            for start_us, seconds in buckets:
                n_in, n_out, undone_in, undone_out = totals.get((camera_id, line, start_us), (0, 0, 0, 0))
                watched_s = min(seconds, covered.get((camera_id, start_us), 0.0))
                rows.append(
                    CountRow(
                        camera_id=camera_id,
                        line=line,
                        bucket_at=from_us(start_us),
                        in_=n_in,
                        out=n_out,
                        effective_in=n_in - undone_in,
                        effective_out=n_out - undone_out,
                        watched_s=watched_s,
                        seconds=seconds,
                        coverage=watched_s / seconds if seconds else 0.0,
                    )
                )
        return rows

    def zone_counts(
        self,
        *,
        since: datetime,
        until: datetime,
        bucket: Bucket,
        camera_ids: Sequence[str] | None = None,
        now: datetime | None = None,
    ) -> list[ZoneCountRow]:
        """Return the visits that ended per zone and bucket; see `counts`."""
        until = min(until, now or datetime.now(UTC))
        buckets = _buckets(since, until, bucket)
        with self.transaction() as connection:
            zones = self._places(connection, "visit", since, until, camera_ids)
            _check_rows(len(zones) * len(buckets))
            covered = self._covered(connection, since, until, bucket, camera_ids)
            totals: dict[tuple[str, str, int], list[float]] = {}
            columns = events.c
            for row in connection.execute(
                sa.select(columns.camera_id, columns.place, columns.at_us, columns.outcome, columns.dwell_s).where(
                    columns.kind == "visit",
                    columns.at_us >= to_us(since),
                    columns.at_us < to_us(until),
                    *_among(columns, camera_ids),
                )
            ):
                total = totals.setdefault((row.camera_id, row.place, _bucket_us(row.at_us, bucket)), [0, 0, 0.0])
                total[0 if row.outcome == "left" else 1] += 1
                total[2] += row.dwell_s
        rows = []
        for camera_id, zone in zones:
            for start_us, seconds in buckets:
                left, lost, dwell_s = totals.get((camera_id, zone, start_us), (0, 0, 0.0))
                watched_s = min(seconds, covered.get((camera_id, start_us), 0.0))
                visits = int(left + lost)
                rows.append(
                    ZoneCountRow(
                        camera_id=camera_id,
                        zone=zone,
                        bucket_at=from_us(start_us),
                        visits=visits,
                        left=int(left),
                        lost=int(lost),
                        mean_dwell_s=dwell_s / visits if visits else None,
                        watched_s=watched_s,
                        seconds=seconds,
                        coverage=watched_s / seconds if seconds else 0.0,
                    )
                )
        return rows

    def _places(
        self,
        connection: sa.Connection,
        kind: str,
        since: datetime,
        until: datetime,
        camera_ids: Sequence[str] | None,
    ) -> list[tuple[str, str]]:
        """Lines or zones that are configured, and those that are not any more but have events in the time asked for."""
        found: dict[tuple[str, str], None] = {}
        for row in connection.execute(sa.select(cameras).order_by(cameras.c.position)).mappings():
            camera = _camera(row)
            if camera_ids is None or camera.id in camera_ids:
                for place in camera.lines if kind == "crossing" else camera.zones:
                    found[camera.id, place.name] = None
        columns = events.c
        for camera_id, name in connection.execute(
            sa.select(columns.camera_id, columns.place)
            .distinct()
            .where(
                columns.kind == kind,
                columns.at_us >= to_us(since),
                columns.at_us < to_us(until),
                *_among(columns, camera_ids),
            )
            .order_by(columns.camera_id, columns.place)
        ):
            found[camera_id, name] = None
        return list(found)

    def _covered(
        self,
        connection: sa.Connection,
        since: datetime,
        until: datetime,
        bucket: Bucket,
        camera_ids: Sequence[str] | None,
    ) -> dict[tuple[str, int], float]:
        columns = coverage_minutes.c
        covered: dict[tuple[str, int], float] = {}
        for row in connection.execute(
            sa.select(columns.camera_id, columns.minute_us, columns.watched_s).where(
                columns.minute_us >= _minute_us(since), columns.minute_us < to_us(until), *_among(columns, camera_ids)
            )
        ):
            key = (row.camera_id, _bucket_us(row.minute_us, bucket))
            covered[key] = covered.get(key, 0.0) + row.watched_s
        return covered

    def events(
        self,
        *,
        after: int = 0,
        limit: int = 100,
        camera_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> EventPage:
        """Return events in the order in which they were committed, from the one behind `after`."""
        columns = events.c
        query = sa.select(events).where(columns.cursor > after).order_by(columns.cursor).limit(limit + 1)
        if camera_id is not None:
            query = query.where(columns.camera_id == camera_id)
        if since is not None:
            query = query.where(columns.at_us >= to_us(since))
        if until is not None:
            query = query.where(columns.at_us < to_us(until))
        with self.transaction() as connection:
            found = [_stored_event(row) for row in connection.execute(query).mappings()]
        page = tuple(found[:limit])
        return EventPage(page, page[-1].cursor if len(found) > limit and page else None)

    def newest_events(self, camera_id: str, limit: int) -> list[StoredEvent]:
        """Return a camera's newest events, newest first."""
        query = sa.select(events).where(events.c.camera_id == camera_id).order_by(events.c.cursor.desc()).limit(limit)
        with self.transaction() as connection:
            return [_stored_event(row) for row in connection.execute(query).mappings()]

    def states(self, camera_id: str, *, since: datetime, until: datetime) -> list[StateChange]:
        """Return a camera's changes of state in [since, until), oldest first."""
        columns = state_changes.c
        query = (
            sa.select(state_changes)
            .where(columns.camera_id == camera_id, columns.at_us >= to_us(since), columns.at_us < to_us(until))
            .order_by(columns.at_us, columns.number)
            .limit(MAX_ROWS)
        )
        with self.transaction() as connection:
            return [
                StateChange(row["camera_id"], CameraState(row["state"]), from_us(row["at_us"]), row["detail"])
                for row in connection.execute(query).mappings()
            ]

    def state_at(self, camera_id: str, at: datetime) -> CameraState | None:
        """Return the state that a camera was in; None before its first one."""
        columns = state_changes.c
        query = (
            sa.select(columns.state)
            .where(columns.camera_id == camera_id, columns.at_us <= to_us(at))
            .order_by(columns.at_us.desc(), columns.number.desc())
            .limit(1)
        )
        with self.transaction() as connection:
            state = connection.scalar(query)
        return None if state is None else CameraState(state)

    def watched(self, camera_id: str, *, since: datetime, until: datetime) -> tuple[float, int]:
        """Return seconds watched and frames analysed in the minutes that begin in [since, until)."""
        columns = coverage_minutes.c
        query = sa.select(
            sa.func.coalesce(sa.func.sum(columns.watched_s), 0.0), sa.func.coalesce(sa.func.sum(columns.analysed), 0)
        ).where(columns.camera_id == camera_id, columns.minute_us >= to_us(since), columns.minute_us < to_us(until))
        with self.transaction() as connection:
            watched_s, analysed = connection.execute(query).one()
        return float(watched_s), int(analysed)

    def first_statistics_at(self, camera_id: str, *, since: datetime) -> datetime | None:
        """Return when the oldest statistics row of a camera since then was measured; None without one."""
        columns = frame_statistics.c
        query = sa.select(sa.func.min(columns.at_us)).where(
            columns.camera_id == camera_id, columns.at_us >= to_us(since)
        )
        with self.transaction() as connection:
            at_us = connection.scalar(query)
        return None if at_us is None else from_us(at_us)

    def statistics(
        self, camera_id: str, *, since: datetime, until: datetime, most: int = MAX_ROWS
    ) -> list[FrameStatistics]:
        """Return a camera's statistics rows in [since, until), oldest first.

        Args:
            most: of more rows as many are returned, evenly taken.
        """
        columns = frame_statistics.c
        is_asked = sa.and_(columns.camera_id == camera_id, columns.at_us >= to_us(since), columns.at_us < to_us(until))
        place = sa.func.row_number().over(order_by=(columns.at_us, columns.number)) - 1
        numbered = sa.select(columns.number, place.label("place")).where(is_asked).subquery()
        with self.transaction() as connection:
            count = connection.scalar(sa.select(sa.func.count()).where(is_asked)) or 0
        step = max(1, -(-count // max(1, most)))
        query = (
            sa.select(frame_statistics)
            .join(numbered, numbered.c.number == columns.number)
            .where(numbered.c.place % step == 0)
            .order_by(columns.at_us, columns.number)
            .limit(MAX_ROWS)
        )
        with self.transaction() as connection:
            return [
                FrameStatistics(
                    row["camera_id"],
                    from_us(row["at_us"]),
                    {name: value for name, value in row["values"].items() if name != _LAYOUT},
                    tuple(row["values"].get(_LAYOUT, ())),
                )
                for row in connection.execute(query).mappings()
            ]

    def delete_statistics_before(self, at: datetime) -> int:
        """Delete old statistics rows; returns how many."""
        with self.transaction() as connection:
            return connection.execute(sa.delete(frame_statistics).where(frame_statistics.c.at_us < to_us(at))).rowcount


def _prepare_sqlite(connection: Any, _: Any) -> None:  # noqa: ANN401  the driver's own connection
    connection.isolation_level = None  # we begin transactions ourselves
    cursor = connection.cursor()
    # WAL: readers never wait. FULL: what was committed survives a power cut.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def to_us(at: datetime) -> int:
    """Whole microseconds since 1970 of an aware time.

    Raises:
        ValueError: it has no time zone.
    """
    if at.tzinfo is None:
        raise ValueError(f"time {at.isoformat()}: has no time zone; expected an aware time")
    return round((at - _EPOCH) / timedelta(microseconds=1))


def from_us(us: int) -> datetime:
    """Aware UTC time of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=us)


def _minute_us(at: datetime) -> int:
    us = to_us(at)
    return us - us % _MINUTE_US


def _bucket_us(us: int, bucket: Bucket) -> int:
    return us - us % round(BUCKET_LENGTHS[bucket] / timedelta(microseconds=1))


def _buckets(since: datetime, until: datetime, bucket: Bucket) -> list[tuple[int, float]]:
    """Start and asked-for seconds of every bucket that meets [since, until)."""
    length_us = round(BUCKET_LENGTHS[bucket] / timedelta(microseconds=1))
    first, begin, end = _bucket_us(to_us(since), bucket), to_us(since), to_us(until)
    _check_rows((end - first) // length_us)
    return [(start, (min(start + length_us, end) - max(start, begin)) / 1e6) for start in range(first, end, length_us)]


def _check_rows(rows: int) -> None:
    if rows > MAX_ROWS:
        raise StoreError(f"counts: {rows} rows were asked for, at most {MAX_ROWS} are given; ask for less time at once")


def _among(columns: Any, camera_ids: Sequence[str] | None) -> list[Any]:  # noqa: ANN401  any table's columns
    return [] if camera_ids is None else [columns.camera_id.in_(list(camera_ids))]


def _camera(row: Any) -> Camera:  # noqa: ANN401  a row of `cameras`
    values = row["settings"]
    return Camera(
        id=row["id"],
        url=row["url"],
        name=values["name"],
        enabled=values["enabled"],
        target_fps=values["target_fps"],
        priority=values.get("priority", 1),  # cameras of before have none
        transport=values["transport"],
        loop=values["loop"],
        lines=tuple(Line(name, (start[0], start[1]), (end[0], end[1])) for name, start, end in values["lines"]),
        zones=tuple(
            Zone(name, tuple((x, y) for x, y in polygon), min_inside_s)
            for name, polygon, min_inside_s in values["zones"]
        ),
        sampling=Sampling(**values["sampling"]) if values.get("sampling") else None,
    )


def _add_to_minute(
    minutes: dict[tuple[str, str, int], dict[str, Any]], crossing: Crossing, at_us: int, **amounts: int
) -> None:
    """Add a crossing to what a group of records adds to one minute of its line."""
    key = crossing.camera_id, crossing.line, at_us - at_us % _MINUTE_US
    row = minutes.setdefault(
        key, {"camera_id": key[0], "line": key[1], "minute_us": key[2], **dict.fromkeys(_TOTALS, 0)}
    )
    for name, amount in amounts.items():
        row[name] += amount


def _coverage_rows(records: Sequence[Record]) -> list[dict[str, Any]]:
    """One row a camera and minute: seconds and frames of the same minute are added up here already."""
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for record in records:
        if isinstance(record, Coverage):
            key = record.camera_id, _minute_us(record.minute_at)
            row = rows.setdefault(key, {"camera_id": key[0], "minute_us": key[1], "watched_s": 0.0, "analysed": 0})
            row["watched_s"] = min(row["watched_s"] + record.watched_s, 60.0)
            row["analysed"] += record.analysed
    return list(rows.values())


def _state_row(change: StateChange) -> dict[str, Any]:
    return {
        "camera_id": change.camera_id,
        "at_us": to_us(change.at),
        "state": change.state.value,
        "detail": change.detail,
    }


def _values_row(row: FrameStatistics) -> dict[str, Any]:
    return {
        "camera_id": row.camera_id,
        "at_us": to_us(row.at),
        # As many digits as any statistic has: rows are most of what the database writes.
        "values": {
            **{name: float(f"{value:.6g}") for name, value in row.values.items()},
            **({_LAYOUT: list(row.layout)} if row.layout else {}),
        },
    }


def _event_row(record: Crossing | ZoneVisit) -> dict[str, Any]:
    if isinstance(record, Crossing):
        return {
            "id": record.id,
            "kind": "crossing",
            "camera_id": record.camera_id,
            "place": record.line,
            "at_us": to_us(record.at),
            "outcome": record.direction,
            "track_id": record.track_id,
            "undoes": record.undoes,
        }
    return {
        "id": record.id,
        "kind": "visit",
        "camera_id": record.camera_id,
        "place": record.zone,
        "at_us": to_us(record.left_at),
        "outcome": record.outcome,
        "track_id": record.track_id,
        "entered_us": to_us(record.entered_at),
        "dwell_s": record.dwell_s,
    }


def _stored_event(row: Any) -> StoredEvent:  # noqa: ANN401  a row of `events`
    record: Crossing | ZoneVisit
    if row["kind"] == "crossing":
        record = Crossing(
            id=row["id"],
            camera_id=row["camera_id"],
            line=row["place"],
            direction=row["outcome"],
            at=from_us(row["at_us"]),
            track_id=row["track_id"],
            undoes=row["undoes"],
        )
    else:
        record = ZoneVisit(
            id=row["id"],
            camera_id=row["camera_id"],
            zone=row["place"],
            entered_at=from_us(row["entered_us"]),
            left_at=from_us(row["at_us"]),
            dwell_s=row["dwell_s"],
            outcome=row["outcome"],
            track_id=row["track_id"],
        )
    return StoredEvent(row["cursor"], record)
