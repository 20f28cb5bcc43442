"""What demos of a drawn site share: its programs, its API, a reviewer who knows the truth, the story that is told."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import yaml

from footfall.simulation import parse_simulation_url
from footfall.vision.simulator import Simulator
from footfall.vision.simulator.truth import LEAST_VISIBLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from footfall.simulation import SimulationSettings
    from footfall.vision.simulator import People

REVIEWER = "truth of the scene"
WINDOWS = {
    "STATISTICS_INTERVAL_S": 0.2,
    "STATISTICS_KEPT_S": 0.2,
    "DRIFT_WINDOW_S": 24,  # an hour
    "MONITOR_INTERVAL_S": 2,  # five minutes
    "DRIFT_FIRST_WINDOWS": 6,  # 24; the first one is not whole
    "DRIFT_REPORTS": "false",  # they would take longer than a window here
    "DRIFT_FLEET_H": 0,  # two days
    "DRIFT_FLEET_SHARE": 0.5,
    "RETRAIN_LAUNCHER": "process",
    "LOG_LEVEL": "error",
}
"""Settings that make a day of two and a half minutes."""


class Api:
    """A client of the service's API."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **query: object) -> Any:  # noqa: ANN401  JSON
        """Return the answer's JSON."""
        return self._ask(urllib.request.Request(f"{self.url}{path}?{urllib.parse.urlencode(query)}"))

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401  JSON
        """Send JSON; return the answer's."""
        data = json.dumps(body).encode()
        return self._ask(urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}))

    @staticmethod
    def _ask(request: urllib.request.Request) -> Any:  # noqa: ANN401  JSON
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)


@contextlib.contextmanager
def footfall_up(folder: Path, site: Mapping[str, Any], settings: Mapping[str, object]) -> Iterator[tuple[Api, Any]]:
    """Run `footfall up` on a site of its own, below `folder`; ends it afterwards, also when ended from outside.

    Args:
        site: content of the site file.
        settings: names without FOOTFALL_.

    Yields:
        A client, and the process.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "site.yaml").write_text(yaml.safe_dump(dict(site)))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOOTFALL_")}
    environment |= {f"FOOTFALL_{name}": str(value) for name, value in settings.items()}
    environment |= {
        "FOOTFALL_DATA_DIR": str(folder / "data"),
        "FOOTFALL_PORT": str(port),
        "FOOTFALL_MONITOR_PORT": "0",
    }
    # Ended from outside, it ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    command = [sys.executable, "-m", "service", "up", "--config", str(folder / "site.yaml")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield Api(port), process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


class Reviewer:
    """Labels frames with what a drawn scene truly held at their moment.

    Args:
        cameras: id → `sim:` URL.
        past: (camera, moment) → boxes of frames from before the cameras ran.
    """

    def __init__(
        self,
        api: Api,
        cameras: Mapping[str, str],
        past: Mapping[tuple[str, datetime], list[list[float]]] | None = None,
    ) -> None:
        self._api = api
        self._cameras = cameras
        self._past = {} if past is None else past
        self._known: dict[str, list[list[float]]] = {}
        self._since: dict[str, datetime] = {}
        self._scenes: dict[tuple[str, str], tuple[Simulator, float]] = {}

    def label_all(self, queue: str = "targeted") -> int:
        """Label what waits in a queue; returns how many frames that were."""
        waiting = self._api.get("/api/v1/review/next", reviewer=REVIEWER, unit="frame", queue=queue, limit=200)
        labels = [
            {"sample": each["id"], "reviewer": REVIEWER, "boxes": self.boxes(each, queue), "key": each["id"]}
            for each in sorted(waiting, key=lambda sample: sample["taken_at"])
        ]
        with ThreadPoolExecutor(4) as hands:  # a busy service answers late
            list(hands.map(lambda label: self._api.post("/api/v1/review/labels", label), labels))
        return len(waiting)

    def known(self, sample: Mapping[str, Any]) -> list[list[float]] | None:
        """Everybody on a frame that was labelled already; None for another frame."""
        return self._known.get(sample["id"])

    def boxes(self, sample: Mapping[str, Any], queue: str = "targeted") -> list[list[float]]:
        """Everybody who can be seen on a frame, as x0, y0, x1, y1."""
        if sample["id"] not in self._known:
            self._known[sample["id"]] = self._looked_at(sample, queue)
        return self._known[sample["id"]]

    def _looked_at(self, sample: Mapping[str, Any], queue: str) -> list[list[float]]:
        camera, at = sample["camera"], datetime.fromisoformat(sample["taken_at"])
        known = self._past.get((camera, at))
        if known is not None:
            return known
        if camera not in self._since:
            self._since[camera] = datetime.fromisoformat(self._api.get(f"/api/v1/cameras/{camera}/truth")["since"])
        scene = clear_scene(self._cameras[camera])
        # A frame is received a little later than its moment, never before it.
        index = math.floor((at - self._since[camera]).total_seconds() * scene.fps + 0.1)
        at_s = index / scene.fps
        # A scene only goes on, and to begin one anew takes a second; the frames of one queue come in order.
        simulator, newest_s = self._scenes.get((camera, queue), (None, 0.0))
        if simulator is None or newest_s > at_s:
            simulator = Simulator(scene)
        self._scenes[camera, queue] = simulator, at_s
        shown = simulator.draw(simulator.moment(at_s))
        assert shown is not None
        return seen_boxes(shown.people)


def clear_scene(url: str) -> SimulationSettings:
    """Return the scene of a `sim:` URL without what is wrong with its pictures."""
    return dataclasses.replace(parse_simulation_url(url), degradations=())


def seen_boxes(people: People) -> list[list[float]]:
    """Return the boxes of whom a reviewer would mark: a quarter of them is seen, and more than a pixel is left."""
    boxes = people.boxes_px[people.visible >= LEAST_VISIBLE]
    large = (boxes[:, 2:] - boxes[:, :2] >= 2).all(axis=1)
    rows: list[list[float]] = boxes[large].round(1).tolist()
    return rows


@dataclass
class Story:
    """What happened so far; told as it happens."""

    begin_s: float = field(default_factory=time.monotonic)
    judged: set[tuple[str, str]] = field(default_factory=set)
    causes: dict[str, str] = field(default_factory=dict)

    @property
    def now_s(self) -> float:
        """Seconds since the story began."""
        return time.monotonic() - self.begin_s

    def tell(self, text: str) -> None:
        """Print a line with its time."""
        print(f"{self.now_s:6.0f} s  {text}", flush=True)

    def tell_drift(self, api: Api) -> None:
        """Tell windows that were judged and episodes that began since the last look."""
        for verdict in api.get("/api/v1/drift/verdicts"):
            window = verdict["camera"], verdict["begin_at"]
            if window in self.judged:
                continue
            self.judged.add(window)
            cause = verdict["cause"]["name"] if verdict["cause"] else "-"
            ratio = verdict["note"] if verdict["ratio"] is None else f"{verdict['ratio']:.1f} of its threshold"
            self.tell(f"{verdict['camera']:9} {verdict['state']:12} {cause:10} {verdict['tier']:11} {ratio}")
        for episode in api.get("/api/v1/drift/episodes"):
            about = episode["cause"]
            if self.causes.get(episode["camera"]) != about["name"]:
                self.causes[episode["camera"]] = about["name"]
                self.tell(
                    f"{episode['camera']:9} EPISODE: {about['name']}, {about['means']}; next: {about['next_step']}"
                )
