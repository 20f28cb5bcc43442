"""The watch over cameras: every window is judged once, what lasts becomes an episode, and what is mended ends it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from footfall.domain import (
    Camera,
    CameraState,
    Coverage,
    DriftAcceptance,
    DriftVerdict,
    FrameStatistics,
    Record,
    Sampling,
    StateChange,
)
from footfall.errors import StoreError
from footfall.stores.blobs import BlobStore
from footfall.stores.database import Database
from footfall.stores.drift import DriftStore
from monitoring.metrics import MonitorMetrics
from monitoring.references import References
from monitoring.watch import DriftWatch, WatchSettings

MONDAY = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATE = timedelta(minutes=1)
SETTINGS = WatchSettings(length=HOUR, alarms_a_day=0.02, learning=14 * DAY, batch=24 * HOUR, keep=60 * DAY)
CLEAR = {
    "luminance": (100.0, 5.0),
    "contrast": (55.0, 2.0),
    "haze": (30.0, 2.0),
    "sharpness": (0.5, 0.05),
    "view_match": (0.95, 0.01),
    "detections": (3.0, 1.0),
}
FOG = {**CLEAR, "contrast": (25.0, 2.0), "haze": (90.0, 3.0), "luminance": (130.0, 5.0)}
ELSEWHERE = {**CLEAR, "view_match": (0.05, 0.02)}


class Site:
    """A site's database with cameras whose statistics we make up, and the watch over it."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'footfall.db'}")
        self.database.migrate()
        self.store = DriftStore(self.database)
        self.metrics = MonitorMetrics(target=0.95)
        self.folder = folder
        self.watch = self.another_watch()
        self._rng = np.random.Generator(np.random.PCG64(5))

    def another_watch(self, evidence: Any = None) -> DriftWatch:
        blobs = BlobStore(str(self.folder / "blobs"))
        references = References(blobs, length=HOUR, zone=ZoneInfo("UTC"), first=6)
        return DriftWatch(self.database, self.store, references, self.metrics, settings=SETTINGS, evidence=evidence)

    def add(self, camera_id: str, *, sampling: Sampling | None = None) -> None:
        self.database.put_camera(Camera(camera_id, "rtsp://user:secret@10.0.0.1/main", sampling=sampling))

    def see(
        self,
        camera_id: str,
        begin: datetime,
        looks: dict[str, tuple[float, float]],
        *,
        rows: int = 90,
        fps: float = 5.0,
        more: Sequence[Record] = (),
    ) -> None:
        """An hour of statistics rows and coverage; the camera's own level is a little different each hour."""
        level = self._rng.normal(0, 0.3, len(looks))
        noise = self._rng.normal(0, 1, (rows, len(looks)))
        records: list[Record] = [
            FrameStatistics(
                camera_id,
                begin + n * HOUR / rows,
                {
                    name: mean + spread * float(level[k] + noise[n, k])
                    for k, (name, (mean, spread)) in enumerate(looks.items())
                },
            )
            for n in range(rows)
        ]
        records += [Coverage(camera_id, begin + timedelta(minutes=n), 60.0, round(60 * fps)) for n in range(60)]
        self.database.store([*records, *more])

    def check(self, at: datetime) -> list[DriftVerdict]:
        return self.watch.check(at + LATE)

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.database.close()


def learned(site: Site, camera_id: str = "gate", *, days: int = 4) -> datetime:
    """Some weekdays at nine; returns nine o'clock of the day after."""
    site.add(camera_id)
    for day in range(days):
        at = MONDAY + day * DAY + 9 * HOUR
        site.see(camera_id, at, CLEAR)
        site.check(at + HOUR)
    return MONDAY + days * DAY + 9 * HOUR


def test_a_young_camera_says_that_it_has_nothing_to_compare_with_and_then_with_what(site: Site) -> None:
    site.add("gate")
    site.see("gate", MONDAY, CLEAR)
    (first,) = site.check(MONDAY + HOUR)
    assert (first.state, first.tier, first.reference) == ("insufficient", "calm", "none")
    assert first.note == "nothing to compare with yet: its first windows are still to come"
    for hour in range(1, 7):
        site.see("gate", MONDAY + hour * HOUR, CLEAR)
    told = site.check(MONDAY + 7 * HOUR)
    assert [each.reference for each in told] == ["none"] * 5 + ["first-day"]
    assert told[-1].note == "a young camera: compared with 6 windows of its first day"
    assert told[-1].state == "usual"
    (trail,) = site.store.acceptances("gate")
    assert (trail.by, trail.begins_at, trail.until_at) == ("monitor", MONDAY, MONDAY + 14 * DAY)


def test_every_window_is_judged_once_also_by_two_monitors(site: Site) -> None:
    at = learned(site)
    site.see("gate", at, CLEAR)
    last = site.check(at + HOUR)[-1]
    assert (last.state, last.reference, last.note) == ("usual", "own", "compared with 4 like days of its own")
    assert site.check(at + HOUR) == []
    assert site.another_watch().check(at + HOUR + LATE) == []
    assert site.store.last_verdict("gate") == last


def test_a_window_is_not_judged_before_it_is_over(site: Site) -> None:
    at = learned(site)
    site.see("gate", at, CLEAR)
    early = site.watch.check(at + HOUR + timedelta(seconds=5))  # rows may still be on their way
    assert at not in {each.begin_at for each in early}
    assert [each.begin_at for each in site.check(at + HOUR)] == [at]


def test_too_few_rows_are_insufficient_and_never_usual(site: Site) -> None:
    at = learned(site)
    site.see("gate", at, CLEAR, rows=20)
    last = site.check(at + HOUR)[-1]
    assert (last.state, last.note, dict(last.features)) == ("insufficient", "20 rows, 60 are needed", {})
    assert site.metric("footfall_drift_ratio", camera="gate") is None
    assert site.metric("footfall_drift_last_window_timestamp_seconds", camera="gate") == (at + HOUR).timestamp()
    assert site.metric("footfall_drift_window_seconds", camera="gate") == 3600


def drift(site: Site, at: datetime, looks: dict[str, tuple[float, float]], hours: int) -> list[DriftVerdict]:
    told = []
    for hour in range(hours):
        site.see("gate", at + hour * HOUR, looks)
        told += site.check(at + (hour + 1) * HOUR)
    return [each for each in told if each.begin_at >= at]


def test_fog_is_named_and_becomes_an_episode_when_it_lasts(site: Site) -> None:
    at = learned(site) - HOUR  # from eight to eleven: the days know nine o'clock
    told = drift(site, at, FOG, 3)
    assert [each.tier for each in told] == ["watch", "investigate", "investigate"]  # the second one was far
    assert {each.cause for each in told} == {"fog"}
    assert told[-1].evidence[0] == "contrast"
    episode = site.store.open_episodes()["gate"]
    assert (episode.cause, episode.since_at, episode.invalidates) == ("fog", at, False)
    assert episode.batch_until is None  # no leave to keep pictures
    assert site.metric("footfall_drift_active", camera="gate", cause="fog") == 1
    assert site.metric("footfall_drift_tier", camera="gate", tier="investigate") == 1
    assert site.metric("footfall_counts_valid", camera="gate") == 1
    ratio = site.metric("footfall_drift_ratio", camera="gate")
    assert ratio is not None
    assert ratio > 1


def test_weather_that_was_accepted_at_another_hour_is_nothing_new(site: Site) -> None:
    rain = {**CLEAR, "contrast": (45.0, 2.0), "haze": (50.0, 3.0)}
    learned(site, days=2)
    site.see("gate", MONDAY + DAY + 11 * HOUR, rain)
    site.check(MONDAY + DAY + 12 * HOUR)
    for day in (2, 3):
        site.see("gate", MONDAY + day * DAY + 9 * HOUR, CLEAR)
    at = MONDAY + 4 * DAY + 8 * HOUR  # it has rained at none of the hours about this one
    told = drift(site, at, rain, 1)
    assert (told[0].state, told[0].tier, told[0].cause) == ("between", "calm", None)
    assert told[0].note.startswith("compared with 4 like days of its own; unlike these, but like the window of ")
    assert told[0].note.endswith(" 2026-03-03 11:00 UTC, which was accepted")
    assert told[0].features["haze"].score > told[0].features["haze"].threshold
    assert site.store.open_episodes() == {}
    # Fog is more than that, and what lasts does not explain itself.
    assert [each.tier for each in drift(site, at + HOUR, FOG, 2)] == ["watch", "investigate"]


def test_an_episode_ends_when_the_camera_looks_as_usual_again(site: Site) -> None:
    at = learned(site) - HOUR
    drift(site, at, FOG, 3)
    (episode,) = site.store.open_episodes().values()
    for day in range(3, 6):  # the next weekdays
        drift(site, at + day * DAY, CLEAR, 3)
    ended = site.store.episode(episode.id)
    assert (ended.end, ended.closed_by) == ("cleared", "monitor")
    assert site.store.open_episodes() == {}
    assert site.metric("footfall_drift_active", camera="gate", cause="fog") is None


def test_an_episode_that_a_crash_kept_from_being_opened_is_opened_at_the_next_turn_and_only_once(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = learned(site) - HOUR
    drift(site, at, FOG, 1)
    site.see("gate", at + HOUR, FOG)

    def away(_: object) -> bool:
        raise StoreError("database (sqlite): gone")

    with monkeypatch.context() as patched:
        patched.setattr(site.store, "open_episode", away)
        with pytest.raises(StoreError):
            site.check(at + 2 * HOUR)
    assert site.store.open_episodes() == {}
    site.another_watch().check(at + 2 * HOUR + LATE)
    (episode,) = site.store.open_episodes().values()
    site.store.end_episode(episode.id, "ignored", at=at + 2 * HOUR, by="ada")
    site.check(at + 2 * HOUR)
    assert site.store.open_episodes() == {}  # somebody said that it does not matter


def test_a_moved_camera_is_looked_into_at_once_and_its_counts_are_invalid(site: Site) -> None:
    at = learned(site)
    (told,) = [each for each in drift(site, at, ELSEWHERE, 1) if each.begin_at == at]
    assert (told.cause, told.tier) == ("moved", "investigate")
    (episode,) = site.store.open_episodes().values()
    assert episode.invalidates
    assert site.store.invalid_spans(since=at, until=at + HOUR) == {"gate": [(at, None)]}
    assert site.metric("footfall_counts_valid", camera="gate") == 0


def test_who_accepts_the_new_view_begins_anew(site: Site) -> None:
    at = learned(site)
    drift(site, at, ELSEWHERE, 1)
    (episode,) = site.store.open_episodes().values()
    now = at + HOUR + LATE
    site.store.accept(DriftAcceptance("gate", at + HOUR, at + HOUR + 14 * DAY, now, "ada", "a new arm"))
    site.store.end_episode(episode.id, "accepted", at=now, by="ada")
    told = drift(site, at + HOUR, ELSEWHERE, 7)
    assert [each.tier for each in told] == ["calm"] * 7
    assert [each.reference for each in told] == ["none"] * 6 + ["first-day"]
    assert site.store.open_episodes() == {}
    assert site.metric("footfall_counts_valid", camera="gate") == 1


def test_a_window_in_which_the_view_was_accepted_tells_nothing(site: Site) -> None:
    at = learned(site)
    others = ("hall", "stairs", "lift")
    for camera in others:
        site.add(camera)
        site.see(camera, at, CLEAR)
    drift(site, at, ELSEWHERE, 1)
    (episode,) = site.store.open_episodes().values()
    now = at + HOUR + timedelta(minutes=50)
    site.store.accept(DriftAcceptance("gate", now, now + 14 * DAY, now, "ada", "a new arm"))
    site.store.end_episode(episode.id, "accepted", at=now, by="ada")
    for camera in others:
        site.see(camera, at + HOUR, CLEAR)
    told = [each for each in drift(site, at + HOUR, ELSEWHERE, 1) if each.camera_id == "gate"]
    # Against the other cameras it would be called moved once more: most of it was seen before the acceptance.
    assert [(each.state, each.tier, each.reference) for each in told] == [("insufficient", "calm", "none")]
    assert told[0].note == "its new view was accepted in this window or after it: nothing to compare with yet"
    assert site.store.open_episodes() == {}


def test_a_drift_that_a_model_can_learn_opens_a_batch_of_pictures_where_there_is_leave(site: Site) -> None:
    at = learned(site) - HOUR
    site.add("gate", sampling=Sampling("review"))
    drift(site, at, FOG, 3)
    (episode,) = site.store.open_episodes().values()
    assert episode.batch_until == at + 2 * HOUR + LATE + 24 * HOUR
    drift(site, at + 3 * HOUR, FOG, 1)
    assert site.store.open_episodes()["gate"].batch_until == episode.batch_until  # it is not drawn out


def test_a_moved_camera_opens_no_batch(site: Site) -> None:
    at = learned(site)
    site.add("gate", sampling=Sampling("review"))
    drift(site, at, ELSEWHERE, 1)
    assert site.store.open_episodes()["gate"].batch_until is None


def test_a_faulty_stream_says_so_and_nothing_else(site: Site) -> None:
    at = learned(site)
    site.see("gate", at, FOG, fps=2.0)
    told = site.check(at + HOUR)[-1]
    assert (told.state, told.cause, told.tier) == ("suppressed", "stream", "calm")
    assert told.note == "the stream is faulty: 2.0 pictures a second, usual are 5.0"
    broken = [
        StateChange("gate", CameraState.DEGRADED, at + DAY + timedelta(minutes=20)),
        StateChange("gate", CameraState.LIVE, at + DAY + timedelta(minutes=50)),
    ]
    site.see("gate", at + DAY, FOG, more=broken)
    told = next(each for each in site.check(at + DAY + HOUR) if each.begin_at == at + DAY)
    assert (told.state, told.note) == ("suppressed", "the stream is faulty: many broken pictures in 50% of the time")


def test_windows_of_an_episode_are_no_reference(site: Site) -> None:
    at = learned(site) - HOUR
    drift(site, at, FOG, 3)
    monday = MONDAY + 7 * DAY + 9 * HOUR
    site.see("gate", monday, CLEAR)
    for turn in range(3):  # it was away for days and catches up
        site.check(monday + HOUR + turn * LATE)
    told = site.store.verdict("gate", monday)
    assert told.note == "compared with 4 like days of its own"
    assert told.state == "usual"


def test_a_young_camera_borrows_from_cameras_like_it(site: Site) -> None:
    for camera in ("a", "b", "c", "gate"):
        site.add(camera)
    for camera in ("a", "b", "c"):
        site.see(camera, MONDAY, CLEAR)
    site.check(MONDAY + HOUR)
    for camera in ("a", "b", "c"):
        site.see(camera, MONDAY + HOUR, CLEAR)
    site.see("gate", MONDAY + HOUR, FOG)
    site.check(MONDAY + 2 * HOUR)
    told = site.store.verdict("gate", MONDAY + HOUR)
    assert told.reference == "fleet"
    assert told.note == "a young camera: compared with 3 cameras like it (a, b, c)"


def test_a_camera_that_is_switched_off_is_not_judged_and_its_episode_ends(site: Site) -> None:
    at = learned(site)
    drift(site, at, ELSEWHERE, 1)
    (episode,) = site.store.open_episodes().values()
    camera = site.database.camera("gate")
    site.database.put_camera(dataclasses.replace(camera, enabled=False))
    site.see("gate", at + HOUR, ELSEWHERE)
    assert site.check(at + 2 * HOUR) == []
    ended = site.store.episode(episode.id)
    assert (ended.end, ended.note) == ("ignored", "the camera is watched no more")


def test_a_turn_deletes_what_is_old_once_a_day_and_counts_failures(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    learned(site)
    site.watch.turn(MONDAY + 100 * DAY)
    assert site.store.verdicts(since=MONDAY, until=MONDAY + 30 * DAY) == []
    assert not list((site.folder / "blobs" / "windows").rglob("*.npz"))

    def away() -> None:
        raise StoreError("database (sqlite): gone")

    monkeypatch.setattr(site.database, "cameras", away)
    with pytest.raises(StoreError):
        site.watch.turn(MONDAY + 101 * DAY)
    assert site.metric("footfall_drift_check_failures_total") == 1


class Reports:
    """Stands where Evidently does: one report a day and camera, one on the first alarm; can be broken."""

    def __init__(self) -> None:
        self.is_broken = False
        self.written: list[tuple[str, datetime, str, str | None]] = []

    def is_due(self, camera_id: str, at: datetime, *, is_unusual: bool) -> bool:
        known = [(camera, reason) for camera, when, reason, _ in self.written if when.date() == at.date()]
        return (camera_id, "alarm") not in known if is_unusual else (camera_id, "daily") not in known

    def write(self, window: Any, features: Any, thresholds: Any, *, reason: str, against: str, cause: Any) -> Any:
        if self.is_broken:
            raise ValueError("a column has no values")
        assert set(thresholds) <= set(features) | {"layout"}
        assert against.startswith("compared with")
        self.written.append((window.camera_id, window.end_at, reason, cause))
        return SimpleNamespace(html_key=f"evidence/{window.camera_id}/{len(self.written)}.html.gz")

    def tidy(self, now: datetime) -> int:
        return 0


def test_a_report_is_written_where_one_is_due_and_what_fails_keeps_no_verdict_back(site: Site) -> None:
    at = learned(site) - HOUR
    reports = Reports()
    site.watch = site.another_watch(reports)
    drift(site, at, FOG, 3)
    assert reports.written == [("gate", at + HOUR, "alarm", "fog")]
    assert site.store.verdict("gate", at).report_key == "evidence/gate/1"
    monday = at + 3 * DAY
    for hour in range(2):  # judged in one turn
        site.see("gate", monday + hour * HOUR, FOG)
    site.check(monday + 2 * HOUR)
    assert [each[1] for each in reports.written[1:]] == [monday + HOUR]
    reports.is_broken = True
    site.see("gate", monday + DAY, FOG)
    site.check(monday + DAY + HOUR)
    assert site.store.verdict("gate", monday + DAY).report_key == ""
    assert site.metric("footfall_drift_report_failures_total") == 1
