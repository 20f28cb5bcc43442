"""Evidently's page as it should be shown: in a sandbox, with a policy that lets it load nothing; and it still works."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from support.browsing import shoot, wait_until
from support.evidently_reports import CAMERAS, written_by_itself

from service.api.drift import REPORT_HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("report")
    told = written_by_itself(folder)
    return (folder / "blobs" / told[CAMERAS[0]]["html_key"]).read_bytes()


@pytest.fixture
def address(report: bytes) -> Iterator[str]:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_report = self.path == "/report"
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            if is_report:
                self.send_header("Content-Encoding", "gzip")
                for name, value in REPORT_HEADERS.items():
                    self.send_header(name, value)
            self.end_headers()
            frame = b'<iframe sandbox="allow-scripts" src="/report" width="1200" height="800"></iframe>'
            self.wfile.write(report if is_report else frame)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_report_works_in_a_sandbox_and_loads_nothing(page: Page, address: str, report: bytes) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    frame = page.frame_locator("iframe")
    frame.get_by_text("luminance", exact=False).first.wait_for(timeout=60_000)
    wait_until(page, lambda: frame.locator(".js-plotly-plot .plot").count() > 0, timeout_s=60)
    shoot(page, "evidence-report")
    outside = [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    assert outside == []
    # The same page without its policy: nothing is loaded that the policy only hides.
    assert b'src="http' not in gzip.decompress(report)
