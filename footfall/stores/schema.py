"""The tables. Times are whole microseconds since 1970 in UTC, so both databases give back what was put in."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
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

sampling_populations = Table(
    "sampling_populations",
    metadata,
    Column("camera_id", String(64), primary_key=True),
    Column("hour_us", BigInteger, primary_key=True),
    Column("unit", String(8), primary_key=True),
    Column("stratum", String(64), primary_key=True),
    Column("model", String(12), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

samples = Table(
    "samples",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("camera_id", String(64), nullable=False),
    Column("unit", String(8), nullable=False),
    Column("queue", String(8), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("hour_us", BigInteger, nullable=False),
    Column("stratum", String(64), nullable=False),
    Column("model", String(12), nullable=False),
    Column("taken_us", BigInteger, nullable=False),
    Column("probability", Float),
    Column("blob_key", Text, nullable=False),
    Column("media_type", String(32), nullable=False),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("picture_deleted_us", BigInteger),
    Index("ix_samples_camera_id_taken_us", "camera_id", "taken_us"),
    Index("ix_samples_unit_queue_taken_us", "unit", "queue", "taken_us"),
)

sample_labels = Table(
    "sample_labels",
    metadata,
    Column("number", _GROWING, primary_key=True, autoincrement=True),
    Column("sample_id", String(32), ForeignKey("samples.id", ondelete="CASCADE"), nullable=False),
    Column("reviewer", String(64), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("source", String(8), nullable=False),
    Column("content", JSON, nullable=False),
    Column("undone_us", BigInteger),
    Column("key", String(32)),
    Index("ix_sample_labels_sample_id_reviewer", "sample_id", "reviewer"),
    Index("ix_sample_labels_key", "key", unique=True),
    sqlite_autoincrement=True,
)

deletions = Table(
    "deletions",
    metadata,
    Column("number", _GROWING, primary_key=True, autoincrement=True),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("camera_id", String(64), nullable=False),
    Column("reason", String(8), nullable=False),
    Column("samples", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

quality_estimates = Table(
    "quality_estimates",
    metadata,
    Column("measure", String(32), primary_key=True),
    Column("scope", String(8), primary_key=True),
    Column("camera_id", String(64), primary_key=True),
    Column("line", String(64), primary_key=True),
    Column("model", String(12), primary_key=True),
    Column("hour_us", BigInteger, primary_key=True),  # of each hour the newest is kept
    Column("at_us", BigInteger, nullable=False),
    Column("since_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("newest_us", BigInteger),
    Column("value", Float),
    Column("lower", Float),
    Column("upper", Float),
    Column("n", BigInteger, nullable=False),
    Column("missing", BigInteger, nullable=False),
    Column("population", BigInteger),
    Column("definition", Text, nullable=False),
    Index("ix_quality_estimates_at_us", "at_us"),
)

retrain_requests = Table(
    "retrain_requests",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("key", String(64), unique=True),  # null once the same may be asked for again
    Column("active", String(64), unique=True),  # the site while it is waiting or running: one at a time
    Column("site", String(64), nullable=False),
    Column("cause", String(32), nullable=False),
    Column("slice", Text, nullable=False),
    Column("champion", String(12), nullable=False),
    Column("reason", Text, nullable=False),
    Column("source", String(8), nullable=False),
    Column("asked_by", String(64), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("state", String(8), nullable=False),
    Column("handle", JSON, nullable=False),
    Column("claimed_by", String(64)),
    Column("claimed_until_us", BigInteger),
    Column("launched_us", BigInteger),
    Column("cancel_us", BigInteger),
    Column("ended_us", BigInteger),
    Column("outcome", String(20)),
    Column("note", Text, nullable=False),
    Index("ix_retrain_requests_at_us", "at_us"),
)

drift_verdicts = Table(
    "drift_verdicts",
    metadata,
    Column("camera_id", String(64), primary_key=True),
    Column("begin_us", BigInteger, primary_key=True),
    Column("end_us", BigInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("state", String(12), nullable=False),
    Column("tier", String(12), nullable=False),
    Column("reference", String(12), nullable=False),
    Column("recent", JSON, nullable=False),
    Column("calm_for", BigInteger, nullable=False),
    Column("episode", BigInteger, nullable=False),
    Column("features", JSON, nullable=False),  # statistic → score, threshold, shift, usual, now
    Column("cause", String(12)),
    Column("evidence", JSON, nullable=False),
    Column("others", JSON, nullable=False),
    Column("note", Text, nullable=False),
    Column("report_key", Text, nullable=False),
    Index("ix_drift_verdicts_begin_us", "begin_us"),
)

drift_episodes = Table(
    "drift_episodes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("open", String(64), unique=True),  # the camera while it is open: one at a time
    Column("camera_id", String(64), nullable=False),
    Column("cause", String(12), nullable=False),
    Column("since_us", BigInteger, nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("invalidates", Boolean, nullable=False),
    Column("batch_until_us", BigInteger),
    Column("closed_us", BigInteger),
    Column("end", String(12)),
    Column("closed_by", String(64), nullable=False),
    Column("note", Text, nullable=False),
    Index("ix_drift_episodes_camera_id_since_us", "camera_id", "since_us"),
)

drift_acceptances = Table(
    "drift_acceptances",
    metadata,
    Column("number", _GROWING, primary_key=True, autoincrement=True),
    Column("camera_id", String(64), nullable=False),
    Column("begins_us", BigInteger),
    Column("until_us", BigInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("by", String(64), nullable=False),
    Column("note", Text, nullable=False),
    Index("ix_drift_acceptances_camera_id", "camera_id"),
    sqlite_autoincrement=True,
)

models = Table(
    "models",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("card", JSON, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("run", String(64), nullable=False),
    Column("gates", JSON(none_as_null=True)),
    Column("is_rejected", Boolean, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("added_us", BigInteger, nullable=False),
    Column("added_by", String(64), nullable=False),
    Column("refused_us", BigInteger),
    Column("refusal", Text, nullable=False),
    Column("files_deleted_us", BigInteger),
    Index("ix_models_name_added_us", "name", "added_us"),
)

# Rows are only ever added: the newest says what holds, all of them are the log.
model_changes = Table(
    "model_changes",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(16), nullable=False),
    Column("before", String(64)),
    Column("model", String(64)),
    Column("why", Text, nullable=False),
    Column("gates_digest", String(64), nullable=False),
    Column("champion", String(64)),
    Column("challenger", String(64)),
    Column("previous", String(64)),
    Column("canaries", JSON, nullable=False),
)
