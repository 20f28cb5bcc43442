"""What the monitor found about quality made durable: of each hour the newest."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from footfall.domain import QualityEstimate
from footfall.stores.database import from_us, to_us
from footfall.stores.schema import quality_estimates

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from footfall.domain import QualityMeasure
    from footfall.stores.database import Database

_HOUR_US: Final = 3_600_000_000
_TIMES: Final = {"at": "at_us", "since": "since_us", "until": "until_us", "newest_at": "newest_us"}
_KEY: Final = tuple(column.name for column in quality_estimates.primary_key)


class QualityStore:
    """Estimates in a database. Safe to use from any thread; every call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, estimates: Sequence[QualityEstimate]) -> None:
        """Keep estimates; one of the same hour, measure and place takes the place of the earlier one."""
        with self._database.transaction() as connection:
            for estimate in estimates:
                row = _row(estimate)
                statement = self._database.insert(quality_estimates).values(row)
                connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=list(_KEY),
                        set_={name: value for name, value in row.items() if name not in _KEY},
                    )
                )

    def newest(self, *, since: datetime) -> list[QualityEstimate]:
        """Return what the last check that was not before `since` found; empty without one."""
        columns = quality_estimates.c
        last = sa.select(sa.func.max(columns.at_us)).where(columns.at_us >= to_us(since)).scalar_subquery()
        query = (
            sa.select(quality_estimates)
            .where(columns.at_us == last)
            .order_by(columns.measure, columns.scope, columns.camera_id, columns.line)
        )
        with self._database.transaction() as connection:
            return [_estimate(row) for row in connection.execute(query).mappings()]

    def history(self, measure: QualityMeasure, camera_id: str, *, since: datetime) -> list[QualityEstimate]:
        """Return the hourly estimates of one measure of a camera, oldest first."""
        columns = quality_estimates.c
        query = (
            sa.select(quality_estimates)
            .where(
                columns.measure == measure,
                columns.scope == "camera",
                columns.camera_id == camera_id,
                columns.at_us >= to_us(since),
            )
            .order_by(columns.at_us)
        )
        with self._database.transaction() as connection:
            return [_estimate(row) for row in connection.execute(query).mappings()]

    def delete_before(self, at: datetime) -> int:
        """Delete old estimates; returns how many."""
        with self._database.transaction() as connection:
            return connection.execute(
                sa.delete(quality_estimates).where(quality_estimates.c.at_us < to_us(at))
            ).rowcount


def _row(estimate: QualityEstimate) -> dict[str, Any]:
    row = {
        _TIMES.get(field.name, field.name): getattr(estimate, field.name)
        for field in dataclasses.fields(QualityEstimate)
    }
    for column in _TIMES.values():
        row[column] = None if row[column] is None else to_us(row[column])
    row["hour_us"] = row["at_us"] - row["at_us"] % _HOUR_US
    return row


def _estimate(row: Any) -> QualityEstimate:  # noqa: ANN401  a row of `quality_estimates`
    values = {field.name: row[_TIMES.get(field.name, field.name)] for field in dataclasses.fields(QualityEstimate)}
    for name in _TIMES:
        values[name] = None if values[name] is None else from_us(values[name])
    return QualityEstimate(**values)
