"""`footfall up` is all of Footfall: the monitor runs beside the service, and ends with it."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

from support.served import Served

from footfall.vision.models import EMBEDDED_FOLDER

CAMERA = {"id": "hall", "url": "sim:mall?people=2&seed=1&fps=5&size=320x180"}


def test_the_monitor_answers_beside_the_service_and_ends_with_it(tmp_path: Path) -> None:
    settings = {"monitor_port": 0, "monitor_interval_s": 1, "teacher_model": EMBEDDED_FOLDER}
    with Served(tmp_path, [CAMERA], EMBEDDED_FOLDER, command="up", **settings) as service:
        service.wait_for(lambda: any('"checking"' in line for line in service.log), 30)
        address = json.loads(next(line for line in service.log if '"checking"' in line))["metrics"]

        def has_checked() -> bool:
            try:
                with urllib.request.urlopen(address, timeout=10) as answer:
                    return b"footfall_monitor_last_check_timestamp_seconds 0.0" not in answer.read()
            except OSError:  # it has an address, but does not answer yet
                return False

        service.wait_for(has_checked, 30)
        assert any('"a teacher is asked"' in line for line in service.log)
        assert service.get("/api/v1/quality")["checked_at"] is not None
        assert service.terminate() == 0
        try:
            urllib.request.urlopen(address, timeout=2)
        except OSError:
            return
        raise AssertionError("the monitor is still there")
