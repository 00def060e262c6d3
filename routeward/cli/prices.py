"""Prices as commands are given them: by model on the command line, in a configuration, in a store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from routeward.cli.output import WRONG_USE, CommandError
from routeward.cli.service import loaded

if TYPE_CHECKING:
    from bandit.catalogue import Model, Prices

PRICES: Final = "Prices"
MOST_USD_PER_MTOK: Final = 1_000_000

Price = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODEL=IN,OUT", help="Price in dollars per million tokens. Repeatable.", rich_help_panel=PRICES
    ),
]
PricesOfConfig = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Configuration with prices.", rich_help_panel=PRICES)
]


@dataclass(frozen=True, slots=True)
class PriceList:
    """Prices for the calls of a log: those of the command line count before those of a configuration or a store."""

    asked: "Mapping[str, Prices]" = field(default_factory=dict)
    configured: "Mapping[str, Prices]" = field(default_factory=dict)
    file: str = ""

    @classmethod
    def of(cls, price: Sequence[str] | None, config: Path | None) -> "PriceList":
        """Return what the options say. Raises CommandError for what is no price, or no configuration."""
        asked = prices_of(price or ())
        return cls(asked) if config is None else cls(asked, _listed(loaded(config).catalogue.models), config.name)

    def beside(self, registry: "Sequence[Model]") -> "PriceList":
        """Return these; where no configuration was named, the models of a store are listed as it knows them."""
        if self.file or not registry:
            return self
        return PriceList(self.asked, _listed(registry), "the store's own models")

    def all(self) -> "dict[str, Prices]":
        """Return the price of each model that has one."""
        return {**self.configured, **self.asked}

    def given(self) -> tuple[str, ...]:
        """Return the options that say something, as they are typed."""
        return (*(["--price"] if self.asked else []), *(["--config"] if self.file else []))

    def note(self) -> str:
        """Return what a reader must know of costs; empty where they are the log's."""
        sources = [*([self.file] if self.configured else []), *(["--price"] if self.asked else [])]
        if not sources:
            return ""
        return f"costs are tokens at the prices of {' and '.join(sources)} where both are known, else as logged"


def prices_of(written: Sequence[str]) -> "dict[str, Prices]":
    """Return prices by model from MODEL=INPUT,OUTPUT[,CACHED]. Raises CommandError with what to write."""
    return dict(_price(one) for one in written)


def _listed(models: "Sequence[Model]") -> "dict[str, Prices]":
    return {model.id: model.prices for model in models}


def _price(written: str) -> "tuple[str, Prices]":
    from bandit.catalogue import Prices

    model, _, numbers = written.rpartition("=")
    try:
        input_usd, output_usd, *cached = (float(number) for number in numbers.split(","))
    except ValueError:
        model, cached = "", []
    if not model or len(cached) > 1:
        message = f"--price {written} is no price; give MODEL=INPUT,OUTPUT[,CACHED] in dollars per million tokens"
        raise CommandError("WRONG_USE", message, exit_code=WRONG_USE)
    for usd in (input_usd, output_usd, *cached):
        if not 0.0 <= usd <= MOST_USD_PER_MTOK:
            message = f"--price of {model} is {usd:g}; give 0 to {MOST_USD_PER_MTOK:,}"
            raise CommandError("WRONG_USE", message, exit_code=WRONG_USE)
    return model, Prices(input_usd, output_usd, *cached)
