"""What each degradation costs on one core, at 640 x 360: milliseconds a picture by severity, of a drawn scene.

Prints a table and, last, one line of JSON.
"""

from __future__ import annotations

import itertools
import json
import statistics
import time
from typing import TYPE_CHECKING

import cv2

from footfall.simulation import PICTURE_KINDS, Degradation, parse_simulation_url
from footfall.vision.degradation import Degrader
from footfall.vision.simulator import Simulator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCENE = "sim:mall?people=12&size=640x360&fps=10"
PICTURES = 40
SEVERITIES = (1, 2, 3, 4, 5)
AIM_MS = 2.0


def main() -> int:
    cv2.setNumThreads(1)
    pictures = [shown.picture for shown in itertools.islice(Simulator(parse_simulation_url(SCENE)).frames(), PICTURES)]
    table = {}
    for kind in PICTURE_KINDS:
        table[kind] = [round(median_ms(Degradation(kind, severity), pictures), 2) for severity in SEVERITIES]
        verdict = "met" if max(table[kind]) <= AIM_MS else "MISSED"
        print(f"{kind:<12}", *(f"{ms:6.2f}" for ms in table[kind]), f"ms   aim ≤ {AIM_MS:g}: {verdict}", flush=True)
    print(json.dumps({"degradation_ms": table}))
    return 0


def median_ms(degradation: Degradation, pictures: list[NDArray[np.uint8]]) -> float:
    degrader = Degrader([degradation], seed=1, fps=10)
    degrader.apply(pictures[0], 0.0)  # makes the maps
    taken = []
    for index, picture in enumerate(pictures[1:], start=1):
        begin = time.perf_counter()
        degrader.apply(picture, index / 10)
        taken.append((time.perf_counter() - begin) * 1000)
    return statistics.median(taken)


if __name__ == "__main__":
    raise SystemExit(main())
