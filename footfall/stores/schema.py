"""The tables. Times are whole microseconds since 1970 in UTC, so both databases give back what was put in."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives only INTEGER primary keys a growing number.
_GROWING = BigInteger().with_variant(Integer, "sqlite")

settings = Table(
    "settings", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False)
)

cameras = Table(
    "cameras",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("url", Text, nullable=False),
    Column("settings", JSON, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("cursor", _GROWING, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("kind", String(8), nullable=False),  # crossing, visit
    Column("camera_id", String(64), nullable=False),
    Column("place", String(64), nullable=False),  # line or zone
    Column("at_us", BigInteger, nullable=False),  # a visit's end
    Column("outcome", String(8), nullable=False),  # in, out; left, lost
    Column("track_id", BigInteger, nullable=False),
    Column("undoes", String(32)),
    Column("entered_us", BigInteger),
    Column("dwell_s", Float),
    Index("ix_events_camera_id_at_us", "camera_id", "at_us"),
    sqlite_autoincrement=True,  # a cursor is never given twice
)

line_minutes = Table(
    "line_minutes",
    metadata,
    Column("camera_id", String(64), primary_key=True),
    Column("line", String(64), primary_key=True),
    Column("minute_us", BigInteger, primary_key=True),
    Column("n_in", Integer, nullable=False),
    Column("n_out", Integer, nullable=False),
    Column("undone_in", Integer, nullable=False),
    Column("undone_out", Integer, nullable=False),
)

coverage_minutes = Table(
    "coverage_minutes",
    metadata,
    Column("camera_id", String(64), primary_key=True),
    Column("minute_us", BigInteger, primary_key=True),
    Column("watched_s", Float, nullable=False),
    Column("analysed", Integer, nullable=False),
)

state_changes = Table(
    "state_changes",
    metadata,
    Column("number", _GROWING, primary_key=True, autoincrement=True),
    Column("camera_id", String(64), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_state_changes_camera_id_at_us", "camera_id", "at_us"),
)

frame_statistics = Table(
    "frame_statistics",
    metadata,
    Column("number", _GROWING, primary_key=True, autoincrement=True),
    Column("camera_id", String(64), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("values", JSON, nullable=False),
    Index("ix_frame_statistics_camera_id_at_us", "camera_id", "at_us"),
)
