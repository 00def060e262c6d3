"""`routeward probe`."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from routeward.cli.options import DEFAULT_CONFIG, ConfigFile, Json
from routeward.cli.output import FOUND_PROBLEM, WRONG_USE, CommandError, seconds, show, usd
from routeward.cli.probe_advice import advice_of
from routeward.cli.service import loaded

if TYPE_CHECKING:
    from rich.console import RenderableType

    from adapters.providers.errors import ProviderError
    from adapters.providers.probe import Probed
    from bandit.catalogue import Model
    from server.settings import Settings

AT_ONCE: Final = 8
NANO: Final = 1e9
_FOUND: Final = (
    *("latency_s", "first_token_s", "input_tokens", "cached_input_tokens", "output_tokens", "cost_usd"),
    *("finish_reason", "request_id", "http_status"),
)
"""What only a call finds out of a model."""


def probe(
    model: Annotated[str, typer.Argument(metavar="MODEL", show_default=False, help="Id of a model.")] = "",
    *,
    all_: Annotated[bool, typer.Option("--all", metavar="", help="Probe every model that can be called.")] = False,
    timeout: Annotated[float, typer.Option(min=0.05, max=600, metavar="SECONDS", help="How long to wait.")] = 30.0,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Send one small call to a model, and tell whether it answers, how fast, and what that costs."""
    if bool(model) == all_:
        raise CommandError("WRONG_USE", "give the id of a model, or --all", exit_code=WRONG_USE)
    settings = loaded(config)
    asked = _asked(settings, model)
    callable_ = [one for one in asked if one in settings.gateway.upstreams]
    probed = asyncio.run(_probed(settings, callable_, timeout)) if callable_ else {}
    rows = [_row(settings, one, probed.get(one)) for one in asked]
    healthy = all(row["status"] == "ok" for row in rows if all_ is False or row["status"] != "not callable")
    healthy = healthy and bool(callable_)
    show({"healthy": healthy, "probes": rows}, lambda: _human(rows), as_json=as_json)
    if not healthy:
        raise typer.Exit(FOUND_PROBLEM)


def _asked(settings: "Settings", model: str) -> list[str]:
    from adapters.toml.explain import did_you_mean

    known = [one.id for one in settings.catalogue.models]
    if model and model not in known:
        message = f"the configuration has no model {model}; {did_you_mean(model, known)}"
        raise CommandError("MODEL_UNKNOWN", message, exit_code=WRONG_USE)
    return [model] if model else [one.id for one in settings.catalogue.models if one.enabled]


async def _probed(settings: "Settings", models: Sequence[str], timeout_s: float) -> "dict[str, Probed]":
    from adapters.providers.chat import Timeouts
    from adapters.providers.errors import MissingExtraError
    from adapters.providers.probe import probe as probe_model
    from adapters.providers.provider import providers

    try:
        from adapters.providers.aiohttp_transport import AiohttpTransport
    except MissingExtraError as error:
        raise CommandError("NOT_INSTALLED", str(error), exit_code=WRONG_USE) from error
    gateway = settings.gateway
    timeouts = Timeouts(*(min(limit, timeout_s) for limit in gateway.timeouts))
    transport = AiohttpTransport(gateway.private_hosts)
    upstreams = {model: gateway.upstreams[model] for model in models}
    served = providers(transport, gateway.endpoints, upstreams, time.time)
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(model: str) -> "Probed":
        async with turns:
            return await probe_model(served[model], timeouts, time.monotonic)

    try:
        return dict(zip(models, await asyncio.gather(*map(one, models)), strict=True))
    finally:
        await transport.close()


def _row(settings: "Settings", id_: str, probed: "Probed | None") -> dict[str, Any]:
    """Return what was found of a model, as JSON values."""
    model = next(one for one in settings.catalogue.models if one.id == id_)
    if probed is None:
        remedy = settings.gateway.remedies[id_]
        told = {"error": remedy.why, "advice": remedy.advice}
        return {**_place(settings, model), "status": "not callable", **dict.fromkeys(_FOUND), **told}
    usage, error = probed.usage, probed.error
    return {
        **_place(settings, model),
        "status": "ok" if error is None else _status(error),
        "latency_s": probed.latency_s,
        "first_token_s": probed.first_token_s,
        "input_tokens": usage.input_tokens,
        "cached_input_tokens": usage.cached_input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": _cost_usd(probed, model),
        "finish_reason": probed.finish_reason,
        "request_id": probed.request_id,
        "http_status": error.http_status if error else None,
        "error": str(error) if error else None,
        "advice": advice_of(error, settings.gateway.key_variables.get(model.provider, "")) if error else None,
    }


def _status(error: "ProviderError") -> str:
    """Return how a call failed, in the words of `feedback`; a request that is refused says nothing of the model."""
    return error.status.name.lower().replace("_", "-") if error.is_failure else "refused"


def _place(settings: "Settings", model: "Model") -> dict[str, Any]:
    upstream = settings.gateway.upstreams.get(model.id)
    return {"model": model.id, "provider": model.provider, "upstream": upstream.name if upstream else None}


def _cost_usd(probed: "Probed", model: "Model") -> float | None:
    """Return what a call cost: what the provider bills, else its tokens at list prices."""
    from bandit.signals import Outcome, Status
    from bandit.spend import billed_nano_usd

    usage = probed.usage
    bill = None if usage.cost_usd is None else round(usage.cost_usd * NANO)
    outcome = Outcome(Status.OK, None, None, usage.input_tokens, usage.cached_input_tokens, usage.output_tokens, bill)
    nano_usd = billed_nano_usd(outcome, model.prices)
    return None if nano_usd is None else nano_usd / NANO


def _human(rows: Sequence[Mapping[str, Any]]) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in ("model", "status", "latency", "first token", "tokens", "cost"):
        table.add_column(head, justify="left" if head in ("model", "status") else "right", no_wrap=True)
    for row in rows:
        style = "green" if row["status"] == "ok" else "yellow" if row["status"] == "not callable" else "bold red"
        table.add_row(row["model"], Text(row["status"], style), *_figures(row))
    told = [Text(f"\n{row['model']}: {row['error']}\n    {row['advice']}") for row in rows if row["error"]]
    return Group(table, *told)


def _figures(row: Mapping[str, Any]) -> tuple[str, ...]:
    latency, first, cost = row.get("latency_s"), row.get("first_token_s"), row.get("cost_usd")
    counts = [row.get("input_tokens"), row.get("output_tokens")]
    return (
        "" if latency is None else seconds(latency),
        "" if first is None else seconds(first),
        "" if counts == [None, None] else " + ".join("?" if count is None else str(count) for count in counts),
        "" if cost is None else usd(cost),
    )
