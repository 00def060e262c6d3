"""`routeward feedback`."""

import re
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from routeward.cli.connection import Server
from routeward.cli.fields import Typed, told_by_option, typed_in
from routeward.cli.options import (
    DEFAULT_TARGET,
    DEFAULT_TIMEOUT_S,
    ApiKey,
    Insecure,
    Json,
    RootCertificates,
    Target,
    Timeout,
)
from routeward.cli.output import show
from routeward.signals import FeedbackResult, Outcome, Retract, Score, Signal, SignalStatus, Status, Thumb

if TYPE_CHECKING:
    from rich.console import RenderableType

_outcome = partial(typer.Option, rich_help_panel="How the call went")
_judgement = partial(typer.Option, rich_help_panel="How good the answer was")


class StatusName(StrEnum):
    """Result of a call, as typed."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate-limited"
    CANCELLED = "cancelled"


class ThumbName(StrEnum):
    """A user's judgement, as typed."""

    UP = "up"
    DOWN = "down"


def feedback(
    context: typer.Context,
    decision_id: Annotated[str, typer.Argument(metavar="DECISION_ID", help="What route printed.", show_default=False)],
    *,
    status: Annotated[
        StatusName | None, _outcome(metavar="STATUS", help="ok, error, timeout, rate-limited or cancelled.")
    ] = None,
    latency: Annotated[float | None, _outcome(metavar="SECONDS", help="Until the last byte.")] = None,
    first_token: Annotated[float | None, _outcome(metavar="SECONDS", help="Until the first token.")] = None,
    input_tokens: Annotated[int | None, _outcome(help="Prompt, as billed.")] = None,
    cached_input_tokens: Annotated[int | None, _outcome(help="Prompt tokens read from the cache.")] = None,
    output_tokens: Annotated[int | None, _outcome(help="Answer, as billed.")] = None,
    cost_usd: Annotated[float | None, _outcome(help="Billed cost.")] = None,
    thumb: Annotated[ThumbName | None, _judgement(help="The user's thumb.")] = None,
    score: Annotated[list[str] | None, _judgement(metavar="NAME=VALUE", help="A grade, 0 to 1; repeatable.")] = None,
    rater: Annotated[str, _judgement(help="Pseudonym of who judged, no personal data.")] = "",
    retract: Annotated[
        list[str] | None, typer.Option(metavar="SIGNAL", help="Take back outcome, thumb or score:NAME; repeatable.")
    ] = None,
    target: Target = DEFAULT_TARGET,
    api_key: ApiKey = "",
    insecure: Insecure = False,
    root_certificates: RootCertificates = None,
    timeout: Timeout = DEFAULT_TIMEOUT_S,
    as_json: Json = False,
) -> None:
    """Tell how a decision went. Saying the same again changes nothing."""
    outcome = Outcome(
        Status[status.name] if status else Status.OK,
        latency_s=latency,
        time_to_first_token_s=first_token,
        input_tokens=input_tokens,
        cached_input_tokens=cached_input_tokens,
        output_tokens=output_tokens,
        cost_usd=cost_usd,
    )
    if status is None and outcome != Outcome(Status.OK):
        raise typer.BadParameter("latency, tokens and cost belong to an outcome: give its --status too")
    signals: list[Signal] = [outcome] if status else []
    signals += [Thumb(up=thumb is ThumbName.UP)] if thumb else []
    signals += [*map(_score, score or ()), *map(Retract, retract or ())]
    judged = [Typed("--score", text) for text in score or ()] + [Typed("--retract", name) for name in retract or ()]
    typed = [None] * (len(signals) - len(judged)) + judged
    if not signals:
        raise typer.BadParameter("nothing to tell: give --status, --thumb, --score or --retract")
    server = Server(target, api_key, insecure, root_certificates, timeout)
    with told_by_option(partial(_typed_of, context, typed)), server.client() as client:
        result = client.feedback(decision_id, *signals, rater=rater)
    statuses = [{"signal": one.signal, "status": one.status.name} for one in result.results]
    show({"results": statuses, "revision": result.revision}, lambda: _human(result), as_json=as_json)


def _typed_of(context: typer.Context, typed: Sequence[Typed | None], field: str) -> Typed | None:
    """Return what filled a field of the request; `typed` is, for each signal, what told the whole of it."""
    if field == "signals":
        return Typed("one feedback")
    in_signal = re.match(r"signals\[(\d+)\]\.", field)
    whole = typed[int(in_signal[1])] if in_signal else None
    return whole or typed_in(context, field[in_signal.end() :] if in_signal else field)


def _score(text: str) -> Score:
    name, _, value = text.partition("=")
    try:
        return Score(name, float(value))
    except ValueError as error:
        raise typer.BadParameter(f"--score {text} is not NAME=VALUE with a number, for example judge=0.8") from error


def _human(result: FeedbackResult) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for one in result.results:
        table.add_row(one.signal, one.status.name.lower())
    table.add_row("revision", str(result.revision), style="dim")
    scored = any(one.signal.startswith("score:") and one.status is not SignalStatus.RETRACTED for one in result.results)
    # Whether this category listens to it, the server does not say.
    hint = "a score teaches quality only where the category's quality_source asks for it; the default is thumb"
    return Group(table, Text(hint, "dim")) if scored else table
