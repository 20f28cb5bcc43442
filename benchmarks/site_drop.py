"""How soon all cameras are analysed again after a site-wide drop: their server goes away, and comes back on its port.

Prints a line a drop and, last, one line of JSON; exit status 1: a camera was not back in time. It needs what
`capacity.py` needs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from capacity import FPS, MIXES, Scrape, cameras_of, make_film, rtsp_server, wait_until_live
from serving import running

from footfall.vision.models import EMBEDDED_FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence

GOAL_S: Final = 30.0
GIVE_UP_S: Final = 120.0
STEADY_S: Final = 10.0
"""Cameras run for so long before they are dropped."""
RECEIVED, ANALYSED = "footfall_frames_received_total", "footfall_frames_analysed_total"


@dataclass(frozen=True)
class Back:
    """How cameras came back after one drop; seconds from when their server listened again: median, p90 and most.

    Attributes:
        received_s: until a picture of a camera came.
        analysed_s: until one was analysed; infinite where a camera was not back within two minutes.
        reconnects: reason → how often a camera was opened again, from the drop until all were back.
    """

    cameras: int
    away_s: float
    received_s: tuple[float, float, float]
    analysed_s: tuple[float, float, float]
    reconnects: dict[str, float]


def spread(seconds: Sequence[float]) -> tuple[float, float, float]:
    """Median, p90 and most.

    >>> spread([1.0, 2.0, 3.0])
    (2.0, 2.8, 3.0)
    """
    median, most_of_them, most = np.quantile(seconds, [0.5, 0.9, 1.0]).tolist()
    return round(median, 1), round(most_of_them, 1), round(most, 1)


def drop(server: Any, url: str, *, away_s: float) -> Back:  # noqa: ANN401  a class of the tests, which are no package
    """Kill the cameras' server, start it again `away_s` later and wait until all are back."""
    opened = Scrape(url).by("footfall_reconnects_total", "reason")
    server.kill()
    time.sleep(away_s)
    before = Scrape(url)
    last = {name: before.by(name, "camera") for name in (RECEIVED, ANALYSED)}
    server.start()
    back_s = time.monotonic()
    seen: dict[str, dict[str, float]] = {RECEIVED: {}, ANALYSED: {}}
    while len(seen[ANALYSED]) < len(last[ANALYSED]) and time.monotonic() - back_s < GIVE_UP_S:
        time.sleep(0.25)
        now, at_s = Scrape(url), time.monotonic() - back_s
        for name, first in seen.items():
            for camera, count in now.by(name, "camera").items():
                if count > last[name][camera]:
                    first.setdefault(camera, at_s)
    missing = {name: [float("inf")] * (len(last[name]) - len(first)) for name, first in seen.items()}
    reconnects = Scrape(url).by("footfall_reconnects_total", "reason")
    return Back(
        cameras=len(last[ANALYSED]),
        away_s=away_s,
        received_s=spread([*seen[RECEIVED].values(), *missing[RECEIVED]]),
        analysed_s=spread([*seen[ANALYSED].values(), *missing[ANALYSED]]),
        reconnects={reason: count - opened[reason] for reason, count in reconnects.items() if count > opened[reason]},
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=50)
    parser.add_argument("--away-s", type=float, default=15.0, help="how long the server is away")
    parser.add_argument("--drops", type=int, default=2)
    parser.add_argument("--mix", choices=tuple(MIXES), default="busy")
    parser.add_argument("--input-size", type=int, default=320)
    options = parser.parse_args()
    backs: list[Back] = []
    with tempfile.TemporaryDirectory(prefix="footfall-drop-") as folder:
        scratch = Path(folder)
        films = [make_film(source, first, scratch) for source, first in MIXES[options.mix]]
        chosen = [films[index % len(films)] for index in range(options.cameras)]
        names = [f"camera-{index}" for index in range(options.cameras)]
        with rtsp_server()([(f"/{name}", film.video, FPS) for name, film in zip(names, chosen, strict=True)]) as server:
            cameras = cameras_of(server, names, chosen)
            settings = {"FOOTFALL_INPUT_SIZE": str(options.input_size)}
            with running(scratch, cameras, str(EMBEDDED_FOLDER), **settings) as (_, url):
                wait_until_live(url, options.cameras)
                for _ in range(options.drops):
                    time.sleep(STEADY_S)
                    backs.append(drop(server, url, away_s=options.away_s))
                    print(json.dumps(asdict(backs[-1])), flush=True)
    longest_s = max(back.analysed_s[-1] for back in backs)
    print(json.dumps({"drops": [asdict(back) for back in backs], "longest_s": longest_s, "goal_s": GOAL_S}))
    return int(longest_s > GOAL_S)


if __name__ == "__main__":
    sys.exit(main())
