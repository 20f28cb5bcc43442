"""The command `footfall`: registers the commands and turns expected errors into one line."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from footfall import __version__
from footfall.errors import FootfallError, SettingsError
from service.commands.cameras import cameras_app
from service.commands.count import count
from service.commands.degrade import degrade
from service.commands.demo import demo
from service.commands.evaluate import evaluate
from service.commands.models import models_app
from service.commands.plan import plan
from service.commands.samples import samples_app
from service.commands.serve import check_config, serve, up
from service.commands.sim import sim_app
from service.logs import set_up_logs

EXIT_FAILED = 1
EXIT_BAD_SETTINGS = 2

app = typer.Typer(
    help="Counts people on the cameras a building already has, and tells how right it is.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # tracebacks with local values would show camera passwords
    add_completion=False,
)
app.command()(serve)
app.command()(up)
app.command()(demo)
app.command()(count)
app.command()(evaluate)
app.command()(degrade)
app.command()(plan)
app.command("check-config")(check_config)
app.add_typer(cameras_app, name="cameras")
app.add_typer(models_app, name="models")
app.add_typer(samples_app, name="samples")
app.add_typer(sim_app, name="sim")


def _show_version(wanted: bool) -> None:  # noqa: FBT001  Typer's callback
    if wanted:
        typer.echo(f"footfall {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Options of every command."""
    del version
    set_up_logs("warning")  # to standard error: standard output belongs to the answer


def main() -> None:
    """Run a command; exit 0 done, 1 failed, 2 bad settings."""
    try:
        app()
    except SettingsError as error:
        print(f"footfall: {error}", file=sys.stderr)  # noqa: T201  the answer of a command
        raise SystemExit(EXIT_BAD_SETTINGS) from None
    except FootfallError as error:
        print(f"footfall: {error}", file=sys.stderr)  # noqa: T201  the answer of a command
        raise SystemExit(EXIT_FAILED) from None
    except ImportError as error:
        if "libGL" not in str(error) and "libgthread" not in str(error):
            raise
        print(  # noqa: T201  the answer of a command
            f"footfall: OpenCV needs a system library that is missing ({error}); install it with "
            "`apt-get install libgl1 libglib2.0-0` or `make setup`",
            file=sys.stderr,
        )
        raise SystemExit(EXIT_FAILED) from None


if __name__ == "__main__":
    main()
