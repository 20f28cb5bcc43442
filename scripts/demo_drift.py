"""Shows how a drift is noticed, named and followed: two drawn cameras go into fog, and nobody touches anything.

    make demo-drift

runs `footfall up` with windows of 24 seconds instead of an hour, tells what it says, labels the frames that it
draws with the scene's own truth, as a reviewer would, and ends when it has asked for one retraining and started it:
after about five minutes, with exit status 0. All it writes is in a folder that is thrown away. Public API only.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from footfall.simulation import parse_simulation_url
from footfall.vision.simulator import Simulator

FOG_AT_S = 190
"""Six windows are a first day; the seventh is judged before the fog comes."""
CAMERAS = {
    "entrance": f"sim:mall?people=6&seed=333&start=30&fps=8&size=640x360&fog=4&at={FOG_AT_S}&ramp=5",
    "passage": f"sim:corridor?people=6&seed=332&start=30&fps=8&size=640x360&fog=4&at={FOG_AT_S}&ramp=5",
}
MOST_S = float(os.environ.get("DEMO_SECONDS", "480"))
REVIEWER = "truth of the scene"
LAUNCHED = "import os; print('a retraining would begin here, for', os.environ['FOOTFALL_RETRAIN_REQUEST'])"
SETTINGS = {
    "STATISTICS_INTERVAL_S": 0.25,
    "STATISTICS_KEPT_S": 0.25,
    "DRIFT_WINDOW_S": 24,  # an hour
    "MONITOR_INTERVAL_S": 2,  # five minutes
    "DRIFT_FIRST_WINDOWS": 6,  # 24; the first one is not whole
    "DRIFT_REPORTS": "false",  # they would take longer than a window here
    "DRIFT_BATCH_H": 0.05,  # a day
    "DRIFT_BATCH_FRAMES": 120,
    "DRIFT_LEAST_LABELS": 30,
    "DRIFT_FLEET_H": 0,  # two days
    "DRIFT_FLEET_SHARE": 0.5,
    "RETRAIN_LAUNCHER": "process",
    "LOG_LEVEL": "error",
}


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


class Reviewer:
    """Labels frames with what the drawn scene truly held at their moment."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._scenes: dict[str, tuple[Simulator, datetime, float]] = {}

    def label_all(self) -> int:
        """Label what waits; returns how many that were."""
        waiting = self._api.get("/api/v1/review/next", reviewer=REVIEWER, unit="frame", queue="targeted", limit=50)
        for sample in sorted(waiting, key=lambda each: each["taken_at"]):
            label = {"sample": sample["id"], "reviewer": REVIEWER, "boxes": self._boxes(sample), "key": sample["id"]}
            self._api.post("/api/v1/review/labels", label)
        return len(waiting)

    def _boxes(self, sample: dict[str, Any]) -> list[list[float]]:
        camera = sample["camera"]
        if camera not in self._scenes:
            since = datetime.fromisoformat(self._api.get(f"/api/v1/cameras/{camera}/truth")["since"])
            settings = parse_simulation_url(CAMERAS[camera])
            self._scenes[camera] = Simulator(settings), since, settings.fps
        simulator, since, fps = self._scenes[camera]
        at_s = round((datetime.fromisoformat(sample["taken_at"]) - since).total_seconds() * fps) / fps
        width, height = sample["width_px"], sample["height_px"]
        boxes = []
        for x0, y0, x1, y1 in simulator.moment(at_s).whole_px.tolist():
            box = [max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1)]
            if box[2] - box[0] >= 2 and box[3] - box[1] >= 2:
                boxes.append(box)
        return boxes


@dataclass
class Story:
    """What happened so far; told as it happens."""

    begin_s: float
    judged: set[tuple[str, str]] = field(default_factory=set)
    labelled: int = 0
    causes: dict[str, str] = field(default_factory=dict)

    def tell(self, text: str) -> None:
        """Print a line with its time."""
        print(f"{time.monotonic() - self.begin_s:6.0f} s  {text}", flush=True)


def follow(api: Api, reviewer: Reviewer, story: Story) -> dict[str, Any] | None:
    """Look once at what the service says; returns the request for a retraining when it was started."""
    verdicts = api.get("/api/v1/drift/verdicts")
    for verdict in verdicts:
        window = verdict["camera"], verdict["begin_at"]
        if window in story.judged:
            continue
        story.judged.add(window)
        cause = verdict["cause"]["name"] if verdict["cause"] else "-"
        ratio = verdict["note"] if verdict["ratio"] is None else f"{verdict['ratio']:.1f} of its threshold"
        story.tell(f"{verdict['camera']:9} {verdict['state']:12} {cause:10} {verdict['tier']:11} {ratio}")
    for episode in api.get("/api/v1/drift/episodes"):
        about = episode["cause"]
        if story.causes.get(episode["camera"]) != about["name"]:
            story.causes[episode["camera"]] = about["name"]
            story.tell(f"{episode['camera']:9} EPISODE: {about['name']}, {about['means']}; next: {about['next_step']}")
    labelled = reviewer.label_all()
    if labelled:
        story.labelled += labelled
        story.tell(f"{labelled} frames were drawn and labelled, {story.labelled} in all")
    requests = api.get("/api/v1/retrains")
    started = [each for each in requests if each["state"] != "waiting"]
    return started[0] if started else None


def main() -> int:
    """Run the demo; 0 when one retraining was asked for and started, because of fog on both cameras."""
    folder = Path(tempfile.mkdtemp(prefix="footfall-drift-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    site = {
        "site": "demo",
        "cameras": [
            {
                "id": name,
                "url": url,
                "target_fps": 8,
                "lines": [{"name": "door", "start": [0.1, 0.6], "end": [0.9, 0.6]}],
                "sampling": {"purpose": "to show how drift is followed"},
            }
            for name, url in CAMERAS.items()
        ],
    }
    (folder / "site.yaml").write_text(yaml.safe_dump(site))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FOOTFALL_")}
    environment |= {f"FOOTFALL_{name}": str(value) for name, value in SETTINGS.items()}
    environment |= {
        "FOOTFALL_DATA_DIR": str(folder / "data"),
        "FOOTFALL_PORT": str(port),
        "FOOTFALL_MONITOR_PORT": "0",
        "FOOTFALL_RETRAIN_COMMAND": f'{sys.executable} -c "{LAUNCHED}"',
    }
    # Ended from outside, it ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    command = [sys.executable, "-m", "service", "up", "--config", str(folder / "site.yaml")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return _watch(Api(port), process)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _watch(api: Api, process: subprocess.Popen[bytes]) -> int:
    story, reviewer = Story(time.monotonic()), Reviewer(api)
    story.tell(f"two drawn cameras; fog comes at about {FOG_AT_S} s. Page: {api.url}/drift")
    while time.monotonic() - story.begin_s < MOST_S:
        time.sleep(2)
        if process.poll() is not None:
            story.tell("Footfall ended by itself; that should not be")
            return 1
        try:
            request = follow(api, reviewer, story)
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            if story.judged:
                story.tell(f"no answer: {error}")
            continue
        if request is not None:
            return _end(api, story, request)
    story.tell("no retraining was started in time")
    return 1


def _end(api: Api, story: Story, request: dict[str, Any]) -> int:
    story.tell(f"RETRAINING {request['id'][:8]} asked for by {request['asked_by']}: {request['reason']}")
    time.sleep(10)  # however long one waits, it stays the only one
    requests = api.get("/api/v1/retrains")
    is_good = len(requests) == 1 and request["cause"] == "fog" and request["cameras"] == sorted(CAMERAS)
    story.tell(f"{len(requests)} request in all, {'as it should be' if is_good else 'which is not what was expected'}")
    return 0 if is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
