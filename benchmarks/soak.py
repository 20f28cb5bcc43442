"""Whether the service grows: N RTSP cameras for a long time, its memory, files and threads all along.

Prints a line a minute and, last, one line of JSON; exit status 1: something grew. It needs what `capacity.py` needs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
from capacity import FPS, MIXES, cameras_of, make_film, rtsp_server, wait_until_live
from serving import MB, counters, running

from footfall.vision.models import EMBEDDED_FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence

SETTLED_SHARE = 1 / 3
"""Of the time, in which pools and caches may still fill."""
MOST_MB_AN_HOUR = 30.0
BREATH_MB = 10.0
"""Pools give and take this much: less than that in all is no growth, whatever it were in an hour."""
MOST_MORE = 5
"""Files and threads that may come beyond those of the settled start: requests and reconnections have some."""


@dataclass(frozen=True)
class Sample:
    """The service at one moment; of all its processes together."""

    at_s: float
    rss_mb: float
    files: int
    threads: int
    analysed: float


def slope_an_hour(samples: Sequence[Sample]) -> float:
    """Growth of memory, MB an hour: the least squares' line through at least two moments.

    >>> slope_an_hour([Sample(0, 100, 0, 0, 0), Sample(1800, 101, 0, 0, 0), Sample(3600, 102, 0, 0, 0)])
    2.0
    """
    return round(3600 * float(np.polyfit([s.at_s for s in samples], [s.rss_mb for s in samples], 1)[0]), 3)


def weigh(pid: int, url: str, at_s: float) -> Sample:
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return Sample(
        at_s,
        sum(each.memory_info().rss for each in processes) / MB,
        sum(each.num_fds() for each in processes),
        sum(each.num_threads() for each in processes),
        sum(counters(url, "footfall_frames_analysed_total")),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--mix", choices=tuple(MIXES), default="busy")
    parser.add_argument("--input-size", type=int, default=320)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="footfall-soak-") as folder:
        scratch = Path(folder)
        films = [make_film(source, first, scratch) for source, first in MIXES[options.mix]]
        chosen = [films[index % len(films)] for index in range(options.cameras)]
        names = [f"camera-{index}" for index in range(options.cameras)]
        samples: list[Sample] = []
        with rtsp_server()([(f"/{name}", film.video, FPS) for name, film in zip(names, chosen, strict=True)]) as server:
            cameras = cameras_of(server, names, chosen)
            settings = {"FOOTFALL_INPUT_SIZE": str(options.input_size)}
            with running(scratch, cameras, str(EMBEDDED_FOLDER), **settings) as (pid, url):
                wait_until_live(url, options.cameras)
                begin_s = told_s = time.monotonic()
                while (at_s := time.monotonic() - begin_s) < 60 * options.minutes:
                    samples.append(weigh(pid, url, at_s))
                    if time.monotonic() >= told_s:
                        told_s += 60
                        print(json.dumps(asdict(samples[-1])), flush=True)
                    time.sleep(2.0)
    settled = [each for each in samples if each.at_s >= SETTLED_SHARE * samples[-1].at_s]
    growth = slope_an_hour(settled)
    more_files = settled[-1].files - settled[0].files
    more_threads = settled[-1].threads - settled[0].threads
    hours = (settled[-1].at_s - settled[0].at_s) / 3600
    grew = (growth > MOST_MB_AN_HOUR and growth * hours > BREATH_MB) or max(more_files, more_threads) > MOST_MORE
    figures = {
        "cameras": options.cameras,
        "minutes": options.minutes,
        "mb_an_hour": growth,
        "most_mb": max(each.rss_mb for each in samples),
        "files": [settled[0].files, settled[-1].files],
        "threads": [settled[0].threads, settled[-1].threads],
        "analysed_fps": (settled[-1].analysed - settled[0].analysed) / (settled[-1].at_s - settled[0].at_s),
        "grew": grew,
    }
    print(json.dumps(figures))
    return int(grew)


if __name__ == "__main__":
    sys.exit(main())
