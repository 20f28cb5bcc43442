"""Cameras are added to the real service until the machine is too small: each is told its cost, and none is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.figures import walk, write_film
from support.served import Served


@pytest.mark.slow
def test_the_camera_too_many_is_admitted_and_told_what_it_costs(
    tmp_path: Path, figure_model: Path, rtsp_server: Callable[..., Any]
) -> None:
    film = write_film(tmp_path / "street.mp4", [walk((30, 120), (610, 120), begins_s=0, lasts_s=4)], lasts_s=6)
    server = rtsp_server([("/one", film), ("/two", film)])
    cameras = [{"id": name, "url": server.url(f"/{name}")} for name in ("one", "two")]
    with Served(tmp_path / "service", cameras, figure_model) as service:
        service.wait_for(lambda: all(service.live(name)["fps"] > 0 for name in ("one", "two")), 60)
        service.wait_for(lambda: service.get("/api/v1/system")["capacity"] is not None, 60)
        told = service.post("/api/v1/cameras", id="third", url=server.url("/two"), target_fps=1)["admission"]
        assert 0 < told["cores"] < 1
        assert told["after"]["needed_fps"] == pytest.approx(told["before"]["needed_fps"] + 1, abs=0.02)
        service.wait_for(lambda: service.live("third")["state"] == "live", 60)

        # Cameras that do not answer yet are reckoned with: they may at any time. How many fit is up to the machine.
        shares = []
        while not shares or shares[-1] == 1:
            assert len(shares) < 200
            name = f"more{len(shares)}"
            told = service.post("/api/v1/cameras", id=name, url="rtsp://127.0.0.1:1/x", target_fps=20)["admission"]
            shares.append(told["after"]["rate_share"])
            assert told["fits"] == (told["after"]["needed_fps"] <= told["after"]["available_fps"])
        assert "too small" in told["summary"]
        assert told["camera_fps"] == pytest.approx(20 * shares[-1], abs=0.1)
        service.wait_for(lambda: service.live(name)["state"] == "offline", 60)  # watched as any other
        service.wait_for(lambda: service.live("third")["state"] == "live", 60)
