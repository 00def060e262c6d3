"""`routeward catalogue`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from routeward.cli.commands import Command, Group
from routeward.cli.options import Json
from routeward.cli.output import CommandError, console, show

if TYPE_CHECKING:
    from adapters.price_list import ListedModel

app = typer.Typer(cls=Group, no_args_is_help=True, help="Take models and their prices over from a price list.")


@app.callback()
def catalogue() -> None:
    """Keep `catalogue` a group, though it has one command."""


@app.command("import", cls=Command)
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", show_default=False, help="LiteLLM's model_prices_and_context_window.json.")
    ],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Models, or patterns as gpt-4.1*; none: all.")
    ] = None,
    *,
    provider: Annotated[str, typer.Option(metavar="NAME", help="Only models of this provider.")] = "",
    mode: Annotated[str, typer.Option(metavar="NAME", help="Only models of this mode; empty: any.")] = "chat",
    allow_free: Annotated[
        bool, typer.Option("--allow-free", metavar="", help="Take prices of zero for prices of zero.")
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="File to write. Never overwrites.")] = None,
    as_json: Json = False,
) -> None:
    """Print tables of models, with prices, limits and capabilities, to paste into a configuration."""
    from adapters.price_list import PriceListError, check_number, chosen, listed_models, read_price_list, sellable

    try:
        entries = read_price_list(file)
        found = chosen(entries, names or (), provider=provider, mode=mode)
        kept, skipped = sellable(entries, found, names or (), allow_free=allow_free)
        if not kept:
            raise PriceListError(f"none of the {len(found)} models that are chosen has a price above zero; name others")
        check_number(kept, names or (), provider=provider)
        models = listed_models(entries, kept, allow_free=allow_free)
    except PriceListError as error:
        raise CommandError("PRICE_LIST_REFUSED", str(error)) from error
    text = toml_of_models(models)
    if out:
        _write(out, text)
    human = f"Wrote {len(models)} models to {out}. Compare their prices with what you pay." if out else text.rstrip()
    document = {
        "models": [{**model._asdict(), "capabilities": list(model.capabilities)} for model in models],
        "toml": text,
        "path": str(out) if out else None,
        "skipped": skipped,
    }
    if skipped and not as_json:
        told = "; ".join(f"{name}: {why}" for name, why in skipped.items())
        console(stderr=True).print(f"skipped {len(skipped)}: {told}", soft_wrap=True)
    show(document, lambda: human, as_json=as_json)


def toml_of_models(models: "Sequence[ListedModel]") -> str:
    """Return tables of models for a configuration."""
    return "\n".join(map(_table, models))


def _table(model: "ListedModel") -> str:
    from adapters.toml.explain import toml_of

    values = {
        "id": model.id,
        "family": model.family or None,
        "provider": model.provider or None,
        "upstream": model.upstream if model.upstream != model.id else None,
        "input_usd_per_mtok": model.input_usd_per_mtok,
        "cached_input_usd_per_mtok": model.cached_input_usd_per_mtok,
        "output_usd_per_mtok": model.output_usd_per_mtok,
        "context_tokens": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
        "capabilities": list(model.capabilities) or None,
    }
    lines = [f"{key} = {toml_of(value)}" for key, value in values.items() if value is not None]
    note = ["# The list has further prices for long prompts, which are not known here."] if model.has_tiers else []
    return "\n".join(["[[models]]", *note, *lines, ""])


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise CommandError(
            "FILE_EXISTS", f"{path} is there already, and is left as it is; name another file"
        ) from error
    except OSError as error:
        raise CommandError("NOT_WRITTEN", f"{path} cannot be written: {error.strerror}") from error
