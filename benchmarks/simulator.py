"""How fast drawn scenes are drawn on one core, at 640 x 360: pictures a second, and beside encoding them as H.264.

The share says what it costs to feed a load test: 1.0 means that drawing takes as long as encoding what was drawn.
Prints a table and, last, one line of JSON.
"""

from __future__ import annotations

import json
import time
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING

import av
import cv2

from footfall.simulation import SCENES, parse_simulation_url
from footfall.vision.simulator import Simulator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PICTURES = 150
AIM_FPS = 60.0


def main() -> int:
    cv2.setNumThreads(1)
    figures = {}
    for scene in SCENES:
        frames = Simulator(parse_simulation_url(f"sim:{scene}?people=12&seed=7&size=640x360")).frames()
        next(frames)
        begin = time.process_time()
        shown = list(islice(frames, PICTURES))
        drawing_s = time.process_time() - begin
        people = sum(len(each.people.ids) for each in shown) / len(shown)
        encoding_s = encode([each.picture for each in shown])
        fps = PICTURES / drawing_s
        figures[scene] = {"fps": round(fps, 1), "of_encoding": round(drawing_s / encoding_s, 2)}
        verdict = "met" if fps >= AIM_FPS else "MISSED"
        print(
            f"{scene:<9} {fps:6.1f} pictures a CPU second, {people:4.1f} people in view, "
            f"{drawing_s / encoding_s:4.2f} of encoding   aim ≥ {AIM_FPS:g}: {verdict}",
            flush=True,
        )
    print(json.dumps({"simulator": figures}))
    return 0


def encode(pictures: list[NDArray[np.uint8]]) -> float:
    """CPU seconds of libx264 on one thread, preset veryfast."""
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = 640, 360, "yuv420p"
    codec.time_base = Fraction(1, 10)
    codec.options = {"preset": "veryfast", "threads": "1"}
    begin = time.process_time()
    for picture in pictures:
        codec.encode(av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p"))
    codec.encode(None)
    return time.process_time() - begin


if __name__ == "__main__":
    raise SystemExit(main())
