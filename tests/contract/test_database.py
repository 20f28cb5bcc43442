"""What every database must keep; one suite over SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from footfall.domain import (
    Camera,
    CameraState,
    Coverage,
    Crossing,
    FrameStatistics,
    Line,
    StateChange,
    Zone,
    ZoneVisit,
    event_id,
)
from footfall.errors import SchemaVersionError, StoreError, UnknownRecordError
from footfall.stores.database import MAX_ROWS, Database

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GATE = Camera(
    id="gate",
    url="rtsp://admin:p@:/%?#é@10.0.0.7/main",
    name="Main gate",
    target_fps=4.0,
    transport="udp",
    loop=True,
    lines=(Line("door", (0.5, 0.0), (0.5, 1.0)),),
    zones=(Zone("hall", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)), 2.5),),
)


def crossing(number: int, at_s: float, direction: str = "in", *, undoes: int | None = None) -> Crossing:
    return Crossing(
        id=event_id("run", "gate", number),
        camera_id="gate",
        line="door",
        direction=direction,  # type: ignore[arg-type]
        at=NOON + timedelta(seconds=at_s),
        track_id=7,
        undoes=None if undoes is None else event_id("run", "gate", undoes),
    )


def visit(number: int, enter_s: float, leave_s: float, outcome: str = "left") -> ZoneVisit:
    return ZoneVisit(
        id=event_id("run", "gate", number),
        camera_id="gate",
        zone="hall",
        entered_at=NOON + timedelta(seconds=enter_s),
        left_at=NOON + timedelta(seconds=leave_s),
        dwell_s=leave_s - enter_s,
        outcome=outcome,  # type: ignore[arg-type]
        track_id=7,
    )


def covered(minute: int, watched_s: float, analysed: int = 5) -> Coverage:
    return Coverage("gate", NOON + timedelta(minutes=minute), watched_s, analysed)


def minutes(database: Database, count: int) -> list[tuple[int, int, int, int, float]]:
    rows = database.counts(since=NOON, until=NOON + timedelta(minutes=count), bucket="minute")
    return [(row.in_, row.out, row.effective_in, row.effective_out, row.coverage) for row in rows]


def test_a_camera_comes_back_as_it_was_put(database: Database) -> None:
    database.put_camera(GATE)
    assert database.camera("gate") == GATE
    assert database.cameras() == [GATE]


def test_replacing_a_camera_keeps_its_place(database: Database) -> None:
    database.put_camera(GATE)
    database.put_camera(Camera(id="back", url="film.mp4"))
    database.put_camera(Camera(id="gate", url="film.mp4", enabled=False))
    assert [camera.id for camera in database.cameras()] == ["gate", "back"]
    assert database.camera("gate").enabled is False


def test_an_unknown_camera_is_an_error(database: Database) -> None:
    with pytest.raises(UnknownRecordError, match="camera 'nope': there is none of this id"):
        database.camera("nope")
    with pytest.raises(UnknownRecordError):
        database.delete_camera("nope")


def test_a_deleted_camera_leaves_its_counts(database: Database) -> None:
    database.put_camera(GATE)
    database.store([crossing(1, 5)])
    database.delete_camera("gate")
    assert minutes(database, 1) == [(1, 0, 1, 0, 0.0)]


def test_settings_are_kept_and_replaced(database: Database) -> None:
    assert database.setting("site") is None
    database.set_setting("site", "mall")
    database.set_setting("site", "arcade")
    assert database.setting("site") == "arcade"


def test_events_are_stored_once_however_often_they_come(database: Database) -> None:
    database.put_camera(GATE)
    batch = [crossing(1, 5), visit(2, 1, 9), crossing(3, 70, "out")]
    assert database.store(batch) == batch
    assert database.store(batch) == []
    assert database.store([crossing(4, 80), *batch]) == [crossing(4, 80)]
    assert [event.record for event in database.events().events] == [*batch, crossing(4, 80)]
    assert minutes(database, 2) == [(1, 0, 1, 0, 0.0), (1, 1, 1, 1, 0.0)]


def test_a_u_turn_stays_gross_and_leaves_the_effective_counts_of_both_minutes(database: Database) -> None:
    database.put_camera(GATE)
    database.store([crossing(1, 58)])
    database.store([crossing(2, 62, "out", undoes=1)])
    assert minutes(database, 2) == [(1, 0, 0, 0, 0.0), (0, 1, 0, 0, 0.0)]


def test_coverage_adds_up_to_a_minute_at_most_and_missing_minutes_are_uncovered(database: Database) -> None:
    database.put_camera(GATE)
    database.store([covered(0, 20.0), covered(0, 10.0), covered(2, 50.0), covered(2, 50.0)])
    assert [row[4] for row in minutes(database, 4)] == [0.5, 0.0, 1.0, 0.0]


def test_the_future_is_not_held_against_the_coverage(database: Database) -> None:
    database.put_camera(GATE)
    database.store([covered(0, 30.0)])
    (row,) = database.counts(
        since=NOON, until=NOON + timedelta(hours=1), bucket="hour", now=NOON + timedelta(seconds=30)
    )
    assert (row.seconds, row.watched_s, row.coverage) == (30.0, 30.0, 1.0)


@pytest.mark.parametrize(("bucket", "expected"), [("minute", 180), ("hour", 3), ("day", 1)])
def test_buckets_begin_on_their_boundaries_and_ends_are_partial(database: Database, bucket: str, expected: int) -> None:
    database.put_camera(GATE)
    database.store([crossing(number, 60.0 * number) for number in range(180)])
    rows = database.counts(since=NOON, until=NOON + timedelta(hours=3), bucket=bucket)  # type: ignore[arg-type]
    assert len(rows) == expected
    assert sum(row.in_ for row in rows) == 180
    assert sum(row.seconds for row in rows) == 3 * 3600


def test_lines_that_were_renamed_keep_their_history(database: Database) -> None:
    database.put_camera(GATE)
    database.store([crossing(1, 5)])
    database.put_camera(Camera(id="gate", url="film.mp4", lines=(Line("new", (0, 0), (1, 1)),)))
    rows = database.counts(since=NOON, until=NOON + timedelta(minutes=1), bucket="minute")
    assert [(row.line, row.in_) for row in rows] == [("new", 0), ("door", 1)]


def test_counts_of_some_cameras_only(database: Database) -> None:
    database.put_camera(GATE)
    database.store([crossing(1, 5)])
    since, until = NOON, NOON + timedelta(minutes=1)
    assert database.counts(since=since, until=until, bucket="minute", camera_ids=["other"]) == []
    assert len(database.counts(since=since, until=until, bucket="minute", camera_ids=["gate"])) == 1


def test_too_many_rows_are_refused_with_the_limit(database: Database) -> None:
    database.put_camera(GATE)
    with pytest.raises(StoreError, match=f"at most {MAX_ROWS} are given"):
        database.counts(since=NOON - timedelta(days=100), until=NOON, bucket="minute")


def test_zone_counts_tell_outcomes_and_mean_dwell(database: Database) -> None:
    database.put_camera(GATE)
    database.store([visit(1, 0, 10), visit(2, 5, 25, "lost")])
    (row,) = database.zone_counts(since=NOON, until=NOON + timedelta(minutes=1), bucket="minute")
    assert (row.zone, row.visits, row.left, row.lost, row.mean_dwell_s) == ("hall", 2, 1, 1, 15.0)


def test_events_are_paged_in_commit_order_without_gap_or_repeat(database: Database) -> None:
    for number in range(25):
        database.store([crossing(number, 100 - number)])
    seen: list[str] = []
    after: int | None = 0
    while after is not None:
        page = database.events(after=after, limit=10)
        seen += [event.record.id for event in page.events]
        after = page.next_cursor
    assert seen == [crossing(number, 0).id for number in range(25)]
    assert [event.record.id for event in database.newest_events("gate", 2)] == [seen[-1], seen[-2]]


def test_events_of_a_time_and_camera(database: Database) -> None:
    database.store([crossing(1, 5), crossing(2, 65), crossing(3, 125)])
    page = database.events(since=NOON + timedelta(minutes=1), until=NOON + timedelta(minutes=2))
    assert [event.record.id for event in page.events] == [crossing(2, 0).id]
    assert database.events(camera_id="other").events == ()


def test_states_and_statistics_come_back_in_utc(database: Database) -> None:
    change = StateChange("gate", CameraState.STALLED, NOON, "no picture for 5 s")
    row = FrameStatistics("gate", NOON, {"luminance": 101.5}, (400.0, -3.25))
    database.store([change, row])
    until = NOON + timedelta(seconds=1)
    assert database.states("gate", since=NOON, until=until) == [change]
    assert database.statistics("gate", since=NOON, until=until) == [row]
    assert database.delete_statistics_before(until) == 1
    assert database.statistics("gate", since=NOON, until=until) == []


def test_statistics_rows_are_thinned_evenly_and_the_first_is_found(database: Database) -> None:
    rows = [FrameStatistics("gate", NOON + timedelta(seconds=n), {"noise": float(n)}) for n in range(10)]
    others = [FrameStatistics("hall", NOON + timedelta(seconds=n), {"noise": -1.0}) for n in range(10)]
    database.store([row for pair in zip(rows, others, strict=True) for row in pair])
    until = NOON + timedelta(minutes=1)
    assert database.statistics("gate", since=NOON, until=until, most=10) == rows
    assert database.statistics("gate", since=NOON, until=until, most=4) == rows[::3]
    assert database.statistics("gate", since=NOON, until=until, most=1) == rows[:1]
    assert database.first_statistics_at("gate", since=NOON - timedelta(days=1)) == NOON
    assert database.first_statistics_at("gate", since=NOON + timedelta(seconds=3)) == rows[3].at
    assert database.first_statistics_at("nowhere", since=NOON) is None


def test_what_a_camera_was_at_a_moment_and_how_long_it_was_watched(database: Database) -> None:
    changes = [
        StateChange("gate", state, NOON + timedelta(minutes=n))
        for n, state in ((0, CameraState.LIVE), (2, CameraState.DEGRADED))
    ]
    database.store([*changes, *(Coverage("gate", NOON + timedelta(minutes=n), 30.0, 150) for n in range(3))])
    assert database.state_at("gate", NOON - timedelta(seconds=1)) is None
    assert database.state_at("gate", NOON + timedelta(minutes=1)) is CameraState.LIVE
    assert database.state_at("gate", NOON + timedelta(minutes=2)) is CameraState.DEGRADED
    assert database.watched("gate", since=NOON, until=NOON + timedelta(minutes=2)) == (60.0, 300)
    assert database.watched("hall", since=NOON, until=NOON + timedelta(minutes=2)) == (0.0, 0)


def test_times_without_a_zone_are_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        database.counts(since=NOON.replace(tzinfo=None), until=NOON, bucket="hour", now=NOON)


def test_migrating_twice_changes_nothing(database: Database) -> None:
    database.put_camera(GATE)
    database.migrate()
    assert database.cameras() == [GATE]


def test_a_newer_schema_is_refused_and_left_alone(database: Database, database_url: str) -> None:
    database.put_camera(GATE)
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(SchemaVersionError, match=r"schema version '9999', this Footfall knows up to '\d+'"):
        database.migrate()
    assert database.cameras() == [GATE]


def test_the_migrations_make_the_tables_that_the_code_uses(database_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    from footfall.stores.schema import metadata

    opened = Database(database_url)
    opened.migrate()
    opened.close()
    engine = sa.create_engine(database_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_no_camera_password_is_in_an_error(database: Database, database_url: str) -> None:
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE cameras"))
    engine.dispose()
    with pytest.raises(StoreError) as caught:
        database.put_camera(GATE)
    assert "p@:/%?#é" not in str(caught.value)
    assert caught.value.__cause__ is None


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.floats(0, 300), st.sampled_from(["in", "out"]), st.booleans()), max_size=20),
    split=st.integers(0, 20),
)
def test_minute_totals_always_agree_with_the_events(
    database: Database, steps: list[tuple[float, str, bool]], split: int
) -> None:
    run = datetime.now(UTC).isoformat()
    made: list[Crossing] = []
    pairs = 0
    for number, (at_s, direction, wants_undo) in enumerate(steps):
        last = made[-1] if made else None
        undoes = last.id if wants_undo and last and last.undoes is None and last.direction != direction else None
        pairs += undoes is not None
        at = NOON + timedelta(seconds=at_s)
        made.append(Crossing(event_id(run, run, number), run[:64], "door", direction, at, 1, undoes))  # type: ignore[arg-type]
    database.store(made[:split])
    database.store(made)
    rows = database.counts(since=NOON, until=NOON + timedelta(minutes=6), bucket="minute", camera_ids=[run[:64]])
    assert sum(row.in_ + row.out for row in rows) == len(made)
    assert sum(row.effective_in + row.effective_out for row in rows) == len(made) - 2 * pairs


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("nonsense", "is no SQLAlchemy URL", id="no URL"),
        pytest.param("mysql://a:geheim@h/d", "'mysql' is not supported", id="other database"),
    ],
)
def test_other_databases_are_refused(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        Database(url)
    assert "geheim" not in str(caught.value)


def test_a_server_that_is_away_is_an_error_without_the_password() -> None:
    database = Database("postgresql+psycopg://people:geheim@127.0.0.1:1/footfall")
    with pytest.raises(StoreError, match="postgresql") as caught:
        database.ping()
    assert "geheim" not in str(caught.value)
