"""What was sampled, what people said of it and what was deleted; knows no picture and no page."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from footfall.domain import Deletion, Population, Sample, SampleLabel
from footfall.errors import UnknownRecordError
from footfall.stores.database import from_us, to_us
from footfall.stores.schema import deletions, sample_labels, samples, sampling_populations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from footfall.domain import DeletionReason, SampleQueue, SampleUnit
    from footfall.stores.database import Database

MAX_ROWS: Final = 10_000
_BEGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END: Final = datetime(9999, 1, 1, tzinfo=UTC)
_AT_ONCE: Final = 500
"""Ids in one statement: databases bound how many values it may hold."""


class SampleStore:
    """Samples, their populations and labels in a database. Safe to use from any thread.

    Every method raises StoreError when the database does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    # Drawing

    def add_populations(self, rows: Sequence[Population]) -> None:
        """Add to how many there were to draw from; empty is nothing."""
        with self._database.transaction() as connection:
            for row in rows:
                statement = self._database.insert(sampling_populations).values(
                    camera_id=row.camera_id,
                    hour_us=to_us(row.hour_at),
                    unit=row.unit,
                    stratum=row.stratum,
                    model=row.model,
                    count=row.count,
                )
                connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=[column.name for column in sampling_populations.primary_key],
                        set_={"count": sampling_populations.c.count + row.count},
                    )
                )

    def populations(
        self, unit: SampleUnit, *, since: datetime, until: datetime, camera_ids: Sequence[str] | None = None
    ) -> list[Population]:
        """Return the populations of hours that begin in [since, until); `camera_ids` None means all."""
        columns = sampling_populations.c
        query = sa.select(sampling_populations).where(
            columns.unit == unit, columns.hour_us >= to_us(since), columns.hour_us < to_us(until)
        )
        if camera_ids is not None:
            query = query.where(columns.camera_id.in_(list(camera_ids)))
        query = query.order_by(columns.camera_id, columns.hour_us, columns.stratum, columns.model)
        with self._database.transaction() as connection:
            return [
                Population(
                    row["camera_id"], from_us(row["hour_us"]), row["unit"], row["stratum"], row["model"], row["count"]
                )
                for row in connection.execute(query).mappings()
            ]

    def add(self, sample: Sample) -> bool:
        """Store a sample; tells whether it was new. The same id again changes nothing."""
        row = {
            "id": sample.id,
            "camera_id": sample.camera_id,
            "unit": sample.unit,
            "queue": sample.queue,
            "reason": sample.reason,
            "hour_us": to_us(sample.hour_at),
            "stratum": sample.stratum,
            "model": sample.model,
            "taken_us": to_us(sample.taken_at),
            "probability": sample.probability,
            "blob_key": sample.blob_key,
            "media_type": sample.media_type,
            "width_px": sample.width_px,
            "height_px": sample.height_px,
            "size_bytes": sample.size_bytes,
            "detail": dict(sample.detail),
            "picture_deleted_us": None if sample.picture_deleted_at is None else to_us(sample.picture_deleted_at),
        }
        with self._database.transaction() as connection:
            known = connection.scalar(sa.select(samples.c.id).where(samples.c.id == sample.id)) is not None
            connection.execute(self._database.insert(samples).values(row).on_conflict_do_nothing())
            return not known

    def drawn(
        self,
        camera_id: str,
        unit: SampleUnit,
        queue: SampleQueue,
        *,
        since: datetime,
        until: datetime | None = None,
    ) -> int:
        """How many of a camera were taken in [since, until): what a quota is held against."""
        columns = samples.c
        query = sa.select(sa.func.count()).where(
            columns.camera_id == camera_id,
            columns.unit == unit,
            columns.queue == queue,
            columns.taken_us >= to_us(since),
        )
        if until is not None:
            query = query.where(columns.taken_us < to_us(until))
        with self._database.transaction() as connection:
            return connection.scalar(query) or 0

    # Reading

    def sample(self, sample_id: str) -> Sample:
        """Return a sample.

        Raises:
            UnknownRecordError: there is none by this id.
        """
        with self._database.transaction() as connection:
            row = connection.execute(sa.select(samples).where(samples.c.id == sample_id)).mappings().one_or_none()
        if row is None:
            raise UnknownRecordError(f"sample {sample_id!r}: is not there; it may have been deleted")
        return _sample(row)

    def known(self, sample_ids: Sequence[str]) -> list[Sample]:
        """Return those of some samples that are there, oldest first; one that was deleted is none."""
        found: list[Sample] = []
        with self._database.transaction() as connection:
            for begin in range(0, len(sample_ids), _AT_ONCE):
                query = sa.select(samples).where(samples.c.id.in_(sample_ids[begin : begin + _AT_ONCE]))
                found += [_sample(row) for row in connection.execute(query).mappings()]
        return sorted(found, key=lambda sample: (sample.taken_at, sample.id))

    def camera_ids(self) -> list[str]:
        """Return the cameras of which there are pictures, also those that are no more."""
        query = sa.select(samples.c.camera_id).where(samples.c.picture_deleted_us.is_(None)).distinct()
        with self._database.transaction() as connection:
            return sorted(connection.scalars(query))

    def samples(
        self,
        *,
        since: datetime,
        until: datetime,
        unit: SampleUnit | None = None,
        queue: SampleQueue | None = None,
        camera_ids: Sequence[str] | None = None,
        limit: int = MAX_ROWS,
    ) -> list[Sample]:
        """Return samples taken in [since, until), oldest first, at most `limit`; None means any."""
        columns = samples.c
        query = sa.select(samples).where(columns.taken_us >= to_us(since), columns.taken_us < to_us(until))
        for column, wanted in ((columns.unit, unit), (columns.queue, queue)):
            if wanted is not None:
                query = query.where(column == wanted)
        if camera_ids is not None:
            query = query.where(columns.camera_id.in_(list(camera_ids)))
        query = query.order_by(columns.taken_us, columns.id).limit(min(limit, MAX_ROWS))
        with self._database.transaction() as connection:
            return [_sample(row) for row in connection.execute(query).mappings()]

    def newest_picture(
        self, camera_id: str, unit: SampleUnit, *, before: datetime, since: datetime | None = None
    ) -> Sample | None:
        """Return a camera's newest sample taken in [since, before) whose picture is still there; None without one."""
        columns = samples.c
        query = sa.select(samples).where(
            columns.camera_id == camera_id,
            columns.unit == unit,
            columns.picture_deleted_us.is_(None),
            columns.taken_us < to_us(before),
        )
        if since is not None:
            query = query.where(columns.taken_us >= to_us(since))
        with self._database.transaction() as connection:
            row = connection.execute(query.order_by(columns.taken_us.desc()).limit(1)).mappings().one_or_none()
        return None if row is None else _sample(row)

    def open_samples(
        self,
        unit: SampleUnit,
        queue: SampleQueue,
        *,
        reviewer: str,
        camera_ids: Sequence[str] | None = None,
        limit: int = 20,
    ) -> list[Sample]:
        """Return what this reviewer (or teacher) has not judged and whose picture is still there, oldest first."""
        columns, labels = samples.c, sample_labels.c
        judged = sa.exists().where(
            labels.sample_id == columns.id, labels.reviewer == reviewer, labels.undone_us.is_(None)
        )
        query = sa.select(samples).where(
            columns.unit == unit, columns.queue == queue, columns.picture_deleted_us.is_(None), ~judged
        )
        if camera_ids is not None:
            query = query.where(columns.camera_id.in_(list(camera_ids)))
        query = query.order_by(columns.taken_us, columns.id).limit(min(limit, MAX_ROWS))
        with self._database.transaction() as connection:
            return [_sample(row) for row in connection.execute(query).mappings()]

    # Labels

    def add_label(self, label: SampleLabel) -> SampleLabel:
        """Store what somebody says; returns it with its number. The same key again changes nothing.

        Raises:
            UnknownRecordError: there is no such sample.
        """
        self.sample(label.sample_id)
        row = {
            "sample_id": label.sample_id,
            "reviewer": label.reviewer,
            "at_us": to_us(label.at),
            "source": label.source,
            "content": dict(label.content),
            "key": label.key,
        }
        with self._database.transaction() as connection:
            if label.key is None:
                result = connection.execute(sa.insert(sample_labels).values(row))
                number = result.inserted_primary_key
                return dataclasses.replace(label, number=int(number[0]) if number is not None else 0)
            connection.execute(self._database.insert(sample_labels).values(row).on_conflict_do_nothing())
            stored = sa.select(sample_labels).where(sample_labels.c.key == label.key)
            return _label(connection.execute(stored).mappings().one())

    def undo_last(self, reviewer: str, *, at: datetime) -> SampleLabel | None:
        """Take back the newest label of a reviewer that still stands; None when there is none."""
        columns = sample_labels.c
        newest = (
            sa.select(sample_labels)
            .where(columns.reviewer == reviewer, columns.undone_us.is_(None))
            .order_by(columns.number.desc())
            .limit(1)
        )
        with self._database.transaction() as connection:
            row = connection.execute(newest).mappings().one_or_none()
            if row is None:
                return None
            connection.execute(
                sa.update(sample_labels).where(columns.number == row["number"]).values(undone_us=to_us(at))
            )
        return _label({**row, "undone_us": to_us(at)})

    def undo(self, reviewer: str, number: int, *, at: datetime) -> SampleLabel:
        """Take back one label of a reviewer; one that was taken back before stays as it is.

        Raises:
            UnknownRecordError: this reviewer has no label of this number.
        """
        columns = sample_labels.c
        mine = sa.and_(columns.reviewer == reviewer, columns.number == number)
        with self._database.transaction() as connection:
            connection.execute(
                sa.update(sample_labels).where(mine, columns.undone_us.is_(None)).values(undone_us=to_us(at))
            )
            row = connection.execute(sa.select(sample_labels).where(mine)).mappings().one_or_none()
        if row is None:
            raise UnknownRecordError(f"label {number} of {reviewer!r}: is not there; nothing was taken back")
        return _label(row)

    def labels(
        self, sample_ids: Sequence[str], *, with_undone: bool = False, with_teacher: bool = False
    ) -> list[SampleLabel]:
        """Return the labels of samples in the order they were given.

        Args:
            with_undone: also those that were taken back.
            with_teacher: also those of a teacher, which is no person.
        """
        columns = sample_labels.c
        found: list[SampleLabel] = []
        with self._database.transaction() as connection:
            for begin in range(0, len(sample_ids), _AT_ONCE):
                query = sa.select(sample_labels).where(columns.sample_id.in_(sample_ids[begin : begin + _AT_ONCE]))
                if not with_undone:
                    query = query.where(columns.undone_us.is_(None))
                if not with_teacher:
                    query = query.where(columns.source != "teacher")
                found += [_label(row) for row in connection.execute(query).mappings()]
        return sorted(found, key=lambda label: label.number)

    # Deleting

    def stored_bytes(self) -> int:
        """Bytes of all blobs that were not deleted."""
        with self._database.transaction() as connection:
            total = connection.scalar(
                sa.select(sa.func.sum(samples.c.size_bytes)).where(samples.c.picture_deleted_us.is_(None))
            )
            return int(total or 0)

    def oldest_pictures(self, limit: int) -> list[Sample]:
        """Return samples whose picture is still there, those without a label first, then the oldest."""
        columns = samples.c
        is_labelled = _is_labelled()
        query = (
            sa.select(samples)
            .where(columns.picture_deleted_us.is_(None))
            .order_by(sa.case((is_labelled, 1), else_=0), columns.taken_us, columns.id)
            .limit(min(limit, MAX_ROWS))
        )
        with self._database.transaction() as connection:
            return [_sample(row) for row in connection.execute(query).mappings()]

    def expired(self, camera_id: str, *, unlabelled_before: datetime, labelled_before: datetime) -> list[Sample]:
        """Return a camera's samples whose picture has been kept long enough, at most `MAX_ROWS`."""
        columns = samples.c
        is_labelled = _is_labelled()
        query = (
            sa.select(samples)
            .where(
                columns.camera_id == camera_id,
                columns.picture_deleted_us.is_(None),
                sa.or_(
                    sa.and_(~is_labelled, columns.taken_us < to_us(unlabelled_before)),
                    columns.taken_us < to_us(labelled_before),
                ),
            )
            .order_by(columns.taken_us)
            .limit(MAX_ROWS)
        )
        with self._database.transaction() as connection:
            return [_sample(row) for row in connection.execute(query).mappings()]

    def note_pictures_deleted(
        self, gone: Sequence[Sample], *, at: datetime, actor: str, reason: DeletionReason
    ) -> list[Deletion]:
        """Note that blobs are gone: the rows stay without picture, and the trail gets one entry for each camera."""
        with self._database.transaction() as connection:
            for begin in range(0, len(gone), _AT_ONCE):
                connection.execute(
                    sa.update(samples)
                    .where(samples.c.id.in_([sample.id for sample in gone[begin : begin + _AT_ONCE]]))
                    .values(picture_deleted_us=to_us(at))
                )
            return _trail(connection, gone, at=at, actor=actor, reason=reason)

    def delete(self, gone: Sequence[Sample], *, at: datetime, actor: str) -> list[Deletion]:
        """Delete samples with everything that was said of them; the blobs must be gone before."""
        with self._database.transaction() as connection:
            for begin in range(0, len(gone), _AT_ONCE):
                connection.execute(
                    sa.delete(samples).where(samples.c.id.in_([s.id for s in gone[begin : begin + _AT_ONCE]]))
                )
            return _trail(connection, gone, at=at, actor=actor, reason="request")

    def deletions(self, *, limit: int = 1000) -> list[Deletion]:
        """Return the trail, newest first."""
        query = sa.select(deletions).order_by(deletions.c.number.desc()).limit(min(limit, MAX_ROWS))
        with self._database.transaction() as connection:
            return [
                Deletion(
                    from_us(row["at_us"]),
                    row["actor"],
                    row["camera_id"],
                    row["reason"],
                    row["samples"],
                    row["size_bytes"],
                )
                for row in connection.execute(query).mappings()
            ]


def each_sample(
    store: SampleStore,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    unit: SampleUnit | None = None,
    queue: SampleQueue | None = None,
    camera_ids: Sequence[str] | None = None,
) -> Iterator[Sample]:
    """Yield samples taken in [since, until), oldest first, however many there are; None means any."""
    begin, end = since or _BEGIN, until or _END
    told: set[str] = set()  # of the moment at which the next page begins
    while True:
        page = store.samples(since=begin, until=end, unit=unit, queue=queue, camera_ids=camera_ids)
        fresh = [sample for sample in page if sample.id not in told]
        yield from fresh
        if len(page) < MAX_ROWS:
            return
        last = page[-1].taken_at
        told = {sample.id for sample in page if sample.taken_at == last}
        begin = last if fresh else last + timedelta(microseconds=1)


def _is_labelled() -> sa.Exists:
    """Whether a person said something of the sample: a teacher's word lengthens no picture's life."""
    labels = sample_labels.c
    return sa.exists().where(labels.sample_id == samples.c.id, labels.undone_us.is_(None), labels.source != "teacher")


def _trail(
    connection: sa.Connection, gone: Sequence[Sample], *, at: datetime, actor: str, reason: DeletionReason
) -> list[Deletion]:
    entries = []
    for camera_id in sorted({sample.camera_id for sample in gone}):
        sizes = [0 if s.picture_deleted_at else s.size_bytes for s in gone if s.camera_id == camera_id]
        entries.append(Deletion(at, actor, camera_id, reason, len(sizes), sum(sizes)))
    for entry in entries:
        connection.execute(
            sa.insert(deletions).values(
                at_us=to_us(entry.at),
                actor=entry.actor,
                camera_id=entry.camera_id,
                reason=entry.reason,
                samples=entry.samples,
                size_bytes=entry.size_bytes,
            )
        )
    return entries


def _sample(row: Any) -> Sample:  # noqa: ANN401  a row of `samples`
    gone_us = row["picture_deleted_us"]
    return Sample(
        id=row["id"],
        camera_id=row["camera_id"],
        unit=row["unit"],
        queue=row["queue"],
        reason=row["reason"],
        hour_at=from_us(row["hour_us"]),
        stratum=row["stratum"],
        model=row["model"],
        taken_at=from_us(row["taken_us"]),
        probability=row["probability"],
        blob_key=row["blob_key"],
        media_type=row["media_type"],
        width_px=row["width_px"],
        height_px=row["height_px"],
        size_bytes=row["size_bytes"],
        detail=row["detail"],
        picture_deleted_at=None if gone_us is None else from_us(gone_us),
    )


def _label(row: Any) -> SampleLabel:  # noqa: ANN401  a row of `sample_labels`
    undone_us = row["undone_us"]
    return SampleLabel(
        sample_id=row["sample_id"],
        reviewer=row["reviewer"],
        at=from_us(row["at_us"]),
        source=row["source"],
        content=row["content"],
        number=row["number"],
        undone_at=None if undone_us is None else from_us(undone_us),
        key=row["key"],
    )
