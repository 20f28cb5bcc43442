"""The pages: server-rendered shells that small scripts fill from the API; knows no figures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import FastAPI
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.staticfiles import StaticFiles

from footfall import __version__
from footfall.domain import NAME_PATTERN
from footfall.redaction import redact_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from footfall.domain import Camera

_HERE: Final = Path(__file__).parent


def add_pages(
    app: FastAPI,
    *,
    cameras: "Callable[[], Sequence[Camera]]",
    camera: "Callable[[str], Camera]",
    has_login: bool,
) -> None:
    """Add the pages and what they load to `app`.

    Args:
        cameras: gives the cameras as stored now.
        camera: gives one of them, or raises `UnknownRecordError`.
        has_login: a token is set, so people can log out.
    """
    templates = Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    templates.globals.update(version=__version__, has_login=has_login)

    def page(template: str, **values: object) -> HTMLResponse:
        return HTMLResponse(templates.get_template(template).render(**values))

    @app.get("/", include_in_schema=False)
    def grid() -> HTMLResponse:
        return page("grid.html", cameras=sorted(cameras(), key=lambda each: each.id))

    @app.get("/cameras/{camera_id}", include_in_schema=False)
    def one_camera(camera_id: Annotated[str, PathParameter(pattern=NAME_PATTERN)]) -> HTMLResponse:
        found = camera(camera_id)
        return page("camera.html", camera=found, url_masked=redact_url(found.url))

    @app.get("/review", include_in_schema=False)
    def review() -> HTMLResponse:
        return page("review.html", cameras=sorted(cameras(), key=lambda each: each.id))

    @app.get("/models", include_in_schema=False)
    def models() -> HTMLResponse:
        return page("models.html", cameras=sorted(cameras(), key=lambda each: each.id))

    @app.get("/drift", include_in_schema=False)
    def drift() -> HTMLResponse:
        return page("drift.html")

    @app.get("/login", include_in_schema=False)
    def login() -> HTMLResponse:
        return page("login.html")

    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
