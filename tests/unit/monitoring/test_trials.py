"""On real stores: a new model that verdicts prove worse goes back, with the reason in the log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.registered import make_registry, model_folder
from support.reviewed import Reviewed

from footfall.domain import Camera, Coverage, Line, ModelChange, Population, Sampling
from footfall.stores.database import Database
from footfall.stores.quality import QualityStore
from footfall.stores.samples import SampleStore
from monitoring.canary import TrialSettings
from monitoring.checker import Checker, Roles
from monitoring.evidence import read_evidence
from monitoring.metrics import MonitorMetrics
from monitoring.trials import TrialWatch, looked_at

NOW = datetime(2026, 3, 2, 10, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
BEGAN = NOW - 6 * HOUR


class Site:
    """Two cameras, a day model that is champion, and a night model."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'footfall.db'}")
        self.database.migrate()
        for camera in ("gate", "hall"):
            line = Line("door", (0.0, 0.5), (1.0, 0.5))
            self.database.put_camera(Camera(camera, "sim:mall", lines=(line,), sampling=Sampling("prove the count")))
        self.registry = make_registry(folder, self.database)
        self.sha: dict[str, str] = {}
        for name in ("day", "night"):
            made = model_folder(folder / "made", name)
            self.sha[name] = self.registry.add(made, origin="imported", by="ana", at=NOW).sha256
        self.promote("day", NOW - 100 * HOUR)

    def promote(self, name: str, at: datetime) -> None:
        self.registry.promote(self.sha[name], actor="ana", why="asked", at=at)

    def try_out(self, *cameras: str) -> None:
        self.registry.try_out(self.sha["night"], cameras, actor="ana", why="asked", at=BEGAN)

    def judged(self, camera: str, model: str, *, right: int, wrong: int, hours_ago: int = 0) -> None:
        reviewed = Reviewed(self.database, NOW - timedelta(hours=hours_ago), camera)
        reviewed.population(2 * (right + wrong), model=self.sha[model][:12])
        reviewed.tracks(right, wrong, model=self.sha[model][:12])

    def watched(self, camera: str, since: datetime, hours: int, fps: float) -> None:
        minutes = [since + timedelta(minutes=minute) for minute in range(60 * hours)]
        self.database.store([Coverage(camera, minute, 60.0, round(60 * fps)) for minute in minutes])

    def trials(self, **settings: Any) -> TrialWatch:
        return TrialWatch(
            self.database,
            self.registry,
            SampleStore(self.database),
            settings=TrialSettings(0.95, **settings),
            watched_for=timedelta(hours=24),
            window=timedelta(days=28),
            least=30,
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_challenger_that_verdicts_prove_worse_is_withdrawn(site: Site) -> None:
    site.judged("gate", "day", right=98, wrong=2, hours_ago=30)
    site.try_out("gate")
    site.judged("gate", "night", right=20, wrong=2)
    assert site.trials().turn(NOW) is None  # too few
    site.judged("gate", "night", right=50, wrong=30, hours_ago=1)
    decision = site.trials().turn(NOW)
    assert decision is not None
    change = site.registry.log()[0]
    assert (change.action, change.actor, change.before) == ("withdrawn", "monitor", site.sha["night"])
    assert change.why == decision.why
    assert "precision by verdicts fell to" in change.why
    assert site.trials().turn(NOW) is None  # once


def test_other_cameras_say_nothing_about_a_canary(site: Site) -> None:
    site.judged("hall", "day", right=98, wrong=2, hours_ago=30)
    site.judged("gate", "day", right=70, wrong=30, hours_ago=30)  # a hard camera
    site.try_out("gate")
    site.judged("gate", "night", right=70, wrong=30)
    assert site.trials().turn(NOW) is None


def test_a_new_champion_goes_back_for_a_day_and_not_later(site: Site) -> None:
    site.judged("gate", "day", right=98, wrong=2, hours_ago=30)
    site.promote("night", BEGAN)
    site.judged("gate", "night", right=60, wrong=40)
    assert site.trials().turn(NOW + timedelta(hours=19)) is None  # judged for 24 hours
    assert site.trials().turn(NOW) is not None
    change = site.registry.log()[0]
    assert (change.action, change.model, change.aliases.previous) == ("rolled_back", site.sha["day"], None)


def test_a_bad_champion_goes_back_also_while_another_is_tried_out(site: Site, tmp_path: Path) -> None:
    third = site.registry.add(model_folder(tmp_path / "more", "dusk"), origin="imported", by="ana", at=NOW)
    site.judged("hall", "day", right=98, wrong=2, hours_ago=30)
    site.promote("night", BEGAN)
    site.registry.try_out(third.sha256, ["gate"], actor="ana", why="asked", at=BEGAN)
    site.judged("hall", "night", right=60, wrong=40)
    site.trials().turn(NOW)
    now = site.registry.aliases()
    assert (now.champion, now.challenger, now.canaries) == (site.sha["day"], third.sha256, ("gate",))


@pytest.mark.parametrize(("fps", "goes"), [(2.0, True), (4.9, False)])
def test_a_model_with_which_fewer_frames_are_analysed_goes_back(site: Site, *, fps: float, goes: bool) -> None:
    site.watched("gate", BEGAN - 5 * HOUR, 5, 5.0)
    site.try_out("gate")
    site.watched("gate", BEGAN, 5, fps)
    assert (site.trials().turn(NOW) is not None) == goes


def test_a_refused_model_is_taken_back_by_itself(site: Site) -> None:
    site.promote("night", BEGAN)
    site.registry.refuse(site.sha["night"], "output holds NaN", at=NOW)
    site.trials().turn(NOW)
    assert site.registry.aliases().champion == site.sha["day"]
    assert site.registry.log()[0].why == "a service could not use it: output holds NaN"


def test_a_challenger_that_held_is_promoted_where_that_is_wanted(site: Site) -> None:
    site.try_out("gate")
    site.watched("gate", BEGAN, 5, 5.0)
    assert site.trials(promote_after=7 * HOUR).turn(NOW) is None
    assert site.trials(promote_after=6 * HOUR).turn(NOW) is not None
    change = site.registry.log()[0]
    assert (change.action, change.model, change.actor) == ("promoted", site.sha["night"], "monitor")


def again(site: Site, *, taken_back: datetime) -> None:
    """The night model was champion from ten hours ago on, was proven bad, and has been promoted again at `BEGAN`."""
    site.judged("gate", "day", right=98, wrong=2, hours_ago=30)
    site.promote("night", NOW - 10 * HOUR)
    site.judged("gate", "night", right=50, wrong=50, hours_ago=7)  # of the hour from 02:00 on
    assert site.trials().turn(taken_back - timedelta(minutes=1)) is not None
    assert site.registry.log()[0].action == "rolled_back"
    site.promote("night", BEGAN)


def test_a_model_that_is_promoted_again_is_judged_by_new_evidence_alone(site: Site) -> None:
    again(site, taken_back=NOW - 7 * HOUR)
    assert site.trials().turn(NOW) is None
    site.judged("gate", "night", right=96, wrong=4)  # it was mended: old and new together would be 73 %
    assert site.trials().turn(NOW) is None
    assert site.registry.aliases().champion == site.sha["night"]


def test_a_model_that_is_promoted_again_and_is_bad_again_goes_back_again(site: Site) -> None:
    again(site, taken_back=NOW - 7 * HOUR)
    site.judged("gate", "night", right=60, wrong=40)
    decision = site.trials().turn(NOW)
    assert decision is not None
    assert "precision by verdicts fell to 60.0 %" in decision.why


def test_a_challenger_that_is_tried_out_again_is_judged_by_new_evidence_alone(site: Site) -> None:
    site.judged("gate", "day", right=98, wrong=2, hours_ago=30)
    site.registry.try_out(site.sha["night"], ["gate"], actor="ana", why="asked", at=NOW - 10 * HOUR)
    site.judged("gate", "night", right=50, wrong=50, hours_ago=7)
    assert site.trials().turn(NOW - 7 * HOUR) is not None
    site.try_out("gate")
    assert site.trials().turn(NOW) is None
    site.judged("gate", "night", right=60, wrong=40)
    assert site.trials().turn(NOW) is not None


def test_other_canaries_are_no_new_trial(site: Site) -> None:
    site.judged("gate", "day", right=98, wrong=2, hours_ago=30)
    site.registry.try_out(site.sha["night"], ["gate"], actor="ana", why="asked", at=NOW - 10 * HOUR)
    site.judged("gate", "night", right=50, wrong=50, hours_ago=7)
    site.try_out("gate", "hall")
    assert site.trials().turn(NOW) is not None


@pytest.mark.parametrize(
    ("taken_back", "goes"),
    [
        pytest.param(BEGAN - timedelta(minutes=10), False, id="in service before, in the same hour: it is of both"),
        pytest.param(BEGAN - timedelta(minutes=30), True, id="not in service before in that hour: it is all of this"),
    ],
)
def test_the_hour_in_which_a_model_came_back_counts_where_it_is_of_one_trial(
    site: Site, taken_back: datetime, *, goes: bool
) -> None:
    """A population is of an hour: people of the earlier time cannot be told from those of the new one."""
    site.judged("gate", "day", right=98, wrong=2, hours_ago=30)
    site.promote("night", NOW - 10 * HOUR)
    site.registry.rollback(actor="ana", why="by hand", at=taken_back)
    site.promote("night", BEGAN)
    site.judged("gate", "night", right=50, wrong=50, hours_ago=5)  # of the hour from 04:00 on; it came back at 04:20
    assert (site.trials().turn(NOW) is not None) == goes


def test_a_period_of_minutes_counts_from_the_first_that_began_in_the_trial(site: Site) -> None:
    site.judged("gate", "day", right=98, wrong=2, hours_ago=30)
    site.promote("night", NOW - 10 * HOUR)
    site.registry.rollback(actor="ana", why="by hand", at=BEGAN - timedelta(minutes=5))
    site.promote("night", BEGAN)
    store, night = SampleStore(site.database), site.sha["night"][:12]
    period = BEGAN + timedelta(minutes=10)
    store.add_populations([Population("gate", period, "track", "4", night, 200)])
    times = {"model": night, "hour_at": period, "taken_at": period + timedelta(minutes=2)}
    Reviewed(site.database, NOW, "gate").tracks(50, 50, **times)
    assert site.trials().turn(NOW) is not None


def test_the_time_in_which_the_new_model_looked_before_says_nothing_about_the_speed_of_the_old_one(site: Site) -> None:
    """The slow night model served twice; between, the day model did for an hour."""
    site.promote("night", BEGAN - 9 * HOUR)
    site.watched("gate", BEGAN - 9 * HOUR, 8, 2.0)
    site.registry.rollback(actor="ana", why="by hand", at=BEGAN - HOUR)
    site.watched("gate", BEGAN - HOUR, 1, 5.0)
    site.promote("night", BEGAN)
    site.watched("gate", BEGAN, 5, 2.0)
    decision = site.trials().turn(NOW)
    assert decision is not None
    assert decision.why.startswith("2.0 frames a second of a camera are analysed, 5.0 were before")


def test_a_camera_is_looked_at_with_the_champion_but_for_canaries(site: Site) -> None:
    day, night = site.sha["day"], site.sha["night"]
    site.try_out("gate")
    site.promote("night", BEGAN + 2 * HOUR)
    log, settled = site.registry.log(), timedelta(minutes=2)
    asked = {"since": BEGAN - HOUR, "until": NOW}
    assert looked_at(log, day, "gate", **asked) == [(BEGAN - HOUR, BEGAN)]
    assert looked_at(log, day, "hall", **asked) == [
        (BEGAN + settled, BEGAN + 2 * HOUR),
        (BEGAN - HOUR, BEGAN),
    ]
    assert looked_at(log, night, "gate", **asked) == [
        (BEGAN + 2 * HOUR + settled, NOW),
        (BEGAN + settled, BEGAN + 2 * HOUR),
    ]
    assert looked_at(log, night, "hall", since=BEGAN - 200 * HOUR, until=BEGAN) == []


def test_a_challenger_that_is_withdrawn_meanwhile_is_judged_no_more(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.try_out("gate")
    site.registry.refuse(site.sha["night"], "output holds NaN", at=NOW)
    log = site.registry.log

    def somebody_withdraws_it(*, limit: int) -> list[ModelChange]:
        site.registry.withdraw(actor="ana", why="no", at=NOW)
        return log(limit=limit)

    monkeypatch.setattr(site.registry, "log", somebody_withdraws_it)
    assert site.trials().turn(NOW) is None
    assert log(limit=1)[0].actor == "ana"


def test_somebody_who_is_faster_wins(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.promote("night", BEGAN)
    site.registry.refuse(site.sha["night"], "output holds NaN", at=NOW)
    trials = site.trials()
    worth = trials._worth

    def slowly(*asked: Any) -> Any:
        site.registry.rollback(actor="ana", why="by hand", at=NOW) if site.registry.aliases().previous else None
        return worth(*asked)

    monkeypatch.setattr(trials, "_worth", slowly)
    assert trials.turn(NOW) is None
    assert [change.actor for change in site.registry.log()] == ["ana", "ana", "ana"]


def checker(site: Site, roles: Callable[[], Roles]) -> Checker:
    return Checker(
        site.database,
        SampleStore(site.database),
        QualityStore(site.database),
        MonitorMetrics(target=0.95),
        window=timedelta(days=28),
        least=30,
        keep=timedelta(days=60),
        roles=roles,
    )


def test_the_site_is_spoken_for_by_the_champion_and_a_canary_by_its_challenger(site: Site) -> None:
    day, night = site.sha["day"][:12], site.sha["night"][:12]
    site.judged("hall", "day", right=98, wrong=2)
    site.judged("gate", "day", right=98, wrong=2)
    site.judged("gate", "night", right=60, wrong=40)
    found = checker(site, lambda: Roles(day, night, frozenset({"gate"}))).check(NOW)
    rows = {
        (each.scope, each.camera_id): (each.model, each.value) for each in found if each.measure == "precision_reviewed"
    }
    assert rows == {
        ("site", ""): (day, pytest.approx(0.98)),
        ("camera", "hall"): (day, pytest.approx(0.98)),
        ("camera", "gate"): (night, pytest.approx(0.6)),
    }


def test_one_that_is_tried_out_is_not_the_newest_model(site: Site) -> None:
    store = SampleStore(site.database)
    night = site.sha["night"][:12]
    site.judged("gate", "day", right=3, wrong=1, hours_ago=1)
    site.judged("gate", "night", right=3, wrong=1)
    asked: dict[str, Any] = {"since": NOW - 24 * HOUR, "until": NOW}
    assert read_evidence(store, **asked).model == night
    assert read_evidence(store, **asked, without=night).model == site.sha["day"][:12]
    assert read_evidence(store, **asked, model=night).model == night
    # After a rollback the champion's figures are there at once; of one that is too new the newest holds.
    assert read_evidence(store, **asked, champion=site.sha["day"][:12]).model == site.sha["day"][:12]
    assert read_evidence(store, **asked, champion="0" * 12).model == night
    assert len(read_evidence(store, **asked, model=night).cameras["gate"].reviewed) == 4


def test_samples_of_a_period_that_began_before_are_left_out_as_its_population_is(site: Site) -> None:
    reviewed = Reviewed(site.database, NOW, "gate")  # of the hour from 09:00 on, taken at 09:30
    night = site.sha["night"][:12]
    reviewed.population(8, model=night)
    reviewed.tracks(3, 1, model=night)
    frame = {"unit": "frame", "stratum": "people", "detail": {"threshold": 0.3, "boxes": []}}
    reviewed.sample({"boxes": [[10.0, 10.0, 20.0, 40.0]]}, model=night, **frame)

    def known(since: datetime) -> tuple[int, int]:
        gate = read_evidence(SampleStore(site.database), since=since, until=NOW, model=night).cameras.get("gate")
        return (0, 0) if gate is None else (len(gate.reviewed), len(gate.frames))

    assert known(NOW.replace(hour=9, minute=0)) == (4, 1)
    assert known(NOW.replace(hour=9, minute=1)) == (0, 0)
