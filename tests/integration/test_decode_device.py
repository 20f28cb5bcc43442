"""The service is asked to decode on a device that the machine lacks: it counts whole, and says so where one looks."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.figures import walk, write_film
from support.served import Served


@pytest.mark.slow
def test_a_missing_device_costs_no_count_and_is_told_once_a_camera(
    tmp_path: Path, figure_model: Path, rtsp_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")  # where the machine has one
    people = [walk((30, 120 + 60 * n), (610, 120 + 60 * n), begins_s=n, lasts_s=4) for n in range(4)]
    film = write_film(tmp_path / "street.mp4", people, lasts_s=8)
    server = rtsp_server([("/one", film), ("/two", film)])
    line = {"name": "middle", "start": [0.5, 1.0], "end": [0.5, 0.0]}
    cameras = [{"id": name, "url": server.url(f"/{name}"), "lines": [line]} for name in ("one", "two")]
    with Served(tmp_path / "service", cameras, figure_model, decode_device="cuda") as service:

        def told(name: str) -> list[str]:
            events = [json.loads(line) for line in service.log if '"decoded in software"' in line]
            return [each["why"] for each in events if each["camera"] == name]

        def frames(name: str) -> dict[str, Any]:
            found: dict[str, Any] = service.live(name)["frames"]
            return found

        service.wait_for(lambda: all(frames(name)["received"] > 170 for name in ("one", "two")), 120)
        for name in ("one", "two"):
            events = service.get(f"/api/v1/events?limit=1000&camera={name}")["events"]
            loops = frames(name)["received"] / 80
            assert {each["direction"] for each in events} == {"in"}
            assert 4 * (loops - 1) - 1 <= len(events) <= 4 * (loops + 1)
            assert frames(name)["dropped"].get("corrupt", 0) == 0
            (why,) = told(name)
            assert why.startswith("cuda cannot be opened on this machine")
            assert service.live(name)["detail"].endswith(f"decoded in software: {why}")
            assert f'footfall_decode_refused{{camera="{name}"}} 1.0' in service.get_text("/metrics")
        found = service.post("/api/v1/cameras/probe", url=server.url("/one"))
        assert (found["decoded_by"], found["decode_refusal"]) == ("software", told("one")[0])

        # Its source is changed: the device is asked again.
        body = json.dumps({"transport": "udp"}).encode()
        headers = {"Content-Type": "application/json"}
        urllib.request.urlopen(
            urllib.request.Request(f"{service.url}/api/v1/cameras/one", body, headers, method="PATCH"), timeout=10
        ).close()
        service.wait_for(lambda: len(told("one")) == 2, 60)
        assert len(told("two")) == 1
        assert service.terminate() == 0
