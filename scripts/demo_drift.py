"""Shows how a drift is noticed, named and followed: two drawn cameras go into fog, and nobody touches anything.

    make demo-drift

runs `footfall up` with windows of 24 seconds instead of an hour, tells what it says, labels the frames that it
draws with the scene's own truth, as a reviewer would, and ends when it has asked for one retraining and started it:
after about five minutes, with exit status 0. All it writes is in a folder that is thrown away. Public API only.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import urllib.error
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo_site import WINDOWS, Reviewer, Story, footfall_up

if TYPE_CHECKING:
    import subprocess

    from demo_site import Api

FOG_AT_S = 190
"""Six windows are a first day; the seventh is judged before the fog comes."""
CAMERAS = {
    "entrance": f"sim:mall?people=6&seed=333&start=30&fps=8&size=640x360&fog=4&at={FOG_AT_S}&ramp=5",
    "passage": f"sim:corridor?people=6&seed=332&start=30&fps=8&size=640x360&fog=4&at={FOG_AT_S}&ramp=5",
}
MOST_S = float(os.environ.get("DEMO_SECONDS", "480"))
LAUNCHED = "import os; print('a retraining would begin here, for', os.environ['FOOTFALL_RETRAIN_REQUEST'])"
SETTINGS = WINDOWS | {
    "STATISTICS_INTERVAL_S": 0.25,
    "STATISTICS_KEPT_S": 0.25,
    "DRIFT_BATCH_H": 0.05,  # a day
    "DRIFT_BATCH_FRAMES": 120,
    "DRIFT_LEAST_LABELS": 30,
    "RETRAIN_COMMAND": f'{sys.executable} -c "{LAUNCHED}"',
}


def main() -> int:
    """Run the demo; 0 when one retraining was asked for and started, because of fog on both cameras."""
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
    with (
        tempfile.TemporaryDirectory(prefix="footfall-drift-", ignore_cleanup_errors=True) as folder,
        footfall_up(Path(folder), site, SETTINGS) as (api, process),
    ):
        return _watch(api, process)


def _watch(api: Api, process: subprocess.Popen[bytes]) -> int:
    story, reviewer = Story(), Reviewer(api, CAMERAS)
    story.tell(f"two drawn cameras; fog comes at about {FOG_AT_S} s. Page: {api.url}/drift")
    labelled = 0
    while story.now_s < MOST_S:
        time.sleep(2)
        if process.poll() is not None:
            story.tell("Footfall ended by itself; that should not be")
            return 1
        try:
            story.tell_drift(api)
            drawn = reviewer.label_all()
            if drawn:
                labelled += drawn
                story.tell(f"{drawn} frames were drawn and labelled, {labelled} in all")
            started = [each for each in api.get("/api/v1/retrains") if each["state"] != "waiting"]
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            if story.judged:
                story.tell(f"no answer: {error}")
            continue
        if started:
            return _end(api, story, started[0])
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
