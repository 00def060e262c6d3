"""The commands of `routeward`. Each imports what it needs when it runs, so that --help is there at once."""

import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer

from routeward.cli import (
    apply,
    backup,
    catalogue,
    config,
    db,
    demo,
    doctor,
    evaluate,
    explain,
    export,
    feedback,
    generate,
    health,
    inspect,
    keys,
    namespace,
    offline,
    probe,
    rebuild,
    replay,
    report,
    restore,
    route,
    service,
    status,
    sums,
    verify,
    version,
    warm_start,
)
from routeward.cli.commands import Command, Group
from routeward.cli.output import FOUND_PROBLEM, WRONG_USE, CommandError, show_error
from routeward.cli.wrong_use import sentence_of
from routeward.errors import InvalidRequestError, RoutewardError

SERVICE = ("server", "bandit", "adapters", "simulations")
OPERATE, USE, STUDY = "Run a server", "Use a server", "Study"

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        version.version()
        raise typer.Exit


@app.callback()
def routeward(
    *,
    version: Annotated[
        bool, typer.Option("--version", metavar="", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Decide which model serves an LLM call, and learn from what happens next.

    Every command has --json. Exit codes: 0 fine, 1 found a problem, 2 wrong use.
    """


_command = partial(app.command, cls=Command)
_command(rich_help_panel=OPERATE)(service.init)
_command(rich_help_panel=OPERATE)(service.serve)
_command(rich_help_panel=OPERATE)(doctor.doctor)
_command(rich_help_panel=OPERATE)(health.health)
app.add_typer(config.app, name="config", rich_help_panel=OPERATE)
app.add_typer(keys.app, name="keys", rich_help_panel=OPERATE)
app.add_typer(catalogue.app, name="catalogue", rich_help_panel=OPERATE)
_command(rich_help_panel=OPERATE)(probe.probe)
app.add_typer(db.app, name="db", rich_help_panel=OPERATE)
_command(rich_help_panel=OPERATE)(verify.verify)
_command(rich_help_panel=OPERATE)(rebuild.rebuild)
_command(rich_help_panel=OPERATE)(backup.backup)
_command(rich_help_panel=OPERATE)(restore.restore)
app.add_typer(namespace.app, name="namespace", rich_help_panel=OPERATE)
_command(rich_help_panel=OPERATE)(version.version)
_command(rich_help_panel=OPERATE)(apply.apply)
_command(rich_help_panel=USE)(route.route)
_command(rich_help_panel=USE)(feedback.feedback)
_command(rich_help_panel=USE)(explain.explain)
_command(rich_help_panel=USE)(status.status)
_command(rich_help_panel=STUDY)(demo.demo)
_command(rich_help_panel=STUDY)(evaluate.evaluate)
_command(rich_help_panel=STUDY)(sums.collapse)
_command(rich_help_panel=STUDY)(sums.merge)
_command(rich_help_panel=STUDY)(offline.simulate)
_command(rich_help_panel=STUDY)(report.report)
_command(rich_help_panel=STUDY)(generate.generate)
_command(rich_help_panel=STUDY)(inspect.inspect)
_command(rich_help_panel=STUDY)(replay.replay)
_command(rich_help_panel=STUDY)(warm_start.warm_start)
_command(rich_help_panel=STUDY)(export.export)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; what a user can cause is told in a sentence, not a traceback."""
    as_json = any(word == "--json" or word.startswith("--json=") for word in arguments)
    try:
        return int(app(list(arguments), prog_name="routeward", standalone_mode=False) or 0)
    except SystemExit as ended:
        return int(ended.code or 0)
    except (CommandError, RoutewardError, ModuleNotFoundError, typer.TyperException) as error:
        failure = _failure(error)
        if not str(failure):  # the help was shown instead, because nothing was asked for
            return failure.exit_code
        if not as_json:
            _show_usage(error)
    show_error(failure.reason, str(failure), failure.details, as_json=as_json)
    return failure.exit_code


def _show_usage(error: Exception) -> None:
    """Print how the command is typed that was typed wrongly."""
    context = getattr(error, "ctx", None)
    if isinstance(error, typer.TyperException) and context is not None:
        sys.stderr.write(f"{context.get_usage()}\nHelp:  {context.command_path} --help\n")


def _failure(error: Exception) -> CommandError:
    if isinstance(error, CommandError):
        return error
    if isinstance(error, RoutewardError):
        return _refusal(error)
    if isinstance(error, typer.TyperException):
        return CommandError("WRONG_USE", sentence_of(error), exit_code=WRONG_USE)
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
