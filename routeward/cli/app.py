"""The commands of `routeward`. Each imports what it needs when it runs, so that --help is there at once."""

import re
from collections.abc import Sequence
from dataclasses import asdict

import typer

from routeward.cli import config, demo, doctor, feedback, keys, offline, route, service, status, version
from routeward.cli.output import FOUND_PROBLEM, WRONG_USE, CommandError, show_error
from routeward.errors import InvalidRequestError, RoutewardError

SERVICE = ("server", "bandit", "adapters", "simulations")
OPERATE, USE, STUDY = "Run a server", "Use a server", "Study"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def routeward() -> None:
    """Decide which model serves an LLM call, and learn from what happens next.

    Every command has --json. Exit codes: 0 fine, 1 found a problem, 2 wrong use.
    """


app.command(rich_help_panel=OPERATE)(service.init)
app.command(rich_help_panel=OPERATE)(service.serve)
app.command(rich_help_panel=OPERATE)(doctor.doctor)
app.add_typer(config.app, name="config", rich_help_panel=OPERATE)
app.add_typer(keys.app, name="keys", rich_help_panel=OPERATE)
app.command(rich_help_panel=OPERATE)(version.version)
app.command(rich_help_panel=USE)(route.route)
app.command(rich_help_panel=USE)(feedback.feedback)
app.command(rich_help_panel=USE)(status.status)
app.command(rich_help_panel=STUDY)(demo.demo)
app.command(rich_help_panel=STUDY)(offline.simulate)
app.command(rich_help_panel=STUDY)(offline.generate)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; what a user can cause is told in a sentence, not a traceback."""
    as_json = any(word == "--json" or word.startswith("--json=") for word in arguments)
    try:
        # Typer prints wrong use nicely by itself, but only for people.
        return int(app(list(arguments), prog_name="routeward", standalone_mode=not as_json) or 0)
    except SystemExit as ended:
        return int(ended.code or 0)
    except (CommandError, RoutewardError, ModuleNotFoundError, typer.TyperException) as error:
        failure = _failure(error)
    show_error(failure.reason, str(failure), failure.details, as_json=as_json)
    return failure.exit_code


def _failure(error: Exception) -> CommandError:
    if isinstance(error, CommandError):
        return error
    if isinstance(error, RoutewardError):
        return _refusal(error)
    if isinstance(error, typer.TyperException):
        return CommandError("WRONG_USE", error.format_message(), exit_code=WRONG_USE)
    if isinstance(error, ModuleNotFoundError) and error.name not in SERVICE:
        message = f"this command needs {error.name}, which is not installed: run  pip install 'routeward[all]'"
        return CommandError("NOT_INSTALLED", message, exit_code=WRONG_USE)
    raise error


def _refusal(error: RoutewardError) -> CommandError:
    """Return what the server refused, with everything it said."""
    reason = error.reason or re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__.removesuffix("Error")).upper()
    message, violations = str(error), [asdict(one) for one in error.violations]
    unsaid = [f"  {one.field}: {one.description}" for one in error.violations if one.description not in message]
    return CommandError(
        reason,
        "\n".join([message, *unsaid]),
        exit_code=WRONG_USE if isinstance(error, InvalidRequestError) else FOUND_PROBLEM,
        details={"metadata": error.metadata, "violations": violations},
    )
