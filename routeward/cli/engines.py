"""Where a log is worked on, as commands are told."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from routeward.cli.output import WRONG_USE, CommandError

if TYPE_CHECKING:
    from simulations.engines import Engine

ENGINE: Final = "Where to work"

EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="Work on parts of the log in processes, or on ray.",
        show_default="threads for Parquet, else one process",
        rich_help_panel=ENGINE,
    ),
]
Workers = Annotated[
    int,
    typer.Option(min=0, metavar="N", help="Parts at a time; 0 is one per core.", rich_help_panel=ENGINE),
]
Address = Annotated[
    str,
    typer.Option(
        metavar="HOST:PORT",
        help="Cluster of Ray to join.",
        show_default="a new one on this machine",
        rich_help_panel=ENGINE,
    ),
]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What a command was told of where to work."""

    name: str = ""
    workers: int = 0
    address: str = ""

    def given(self) -> tuple[str, ...]:
        """Return the options that say something, as they are typed."""
        options = {"--engine": self.name, "--workers": self.workers, "--address": self.address}
        return tuple(option for option, value in options.items() if value)

    def engine(self) -> "Engine | None":
        """Return the engine, None where nothing was told. Raises CommandError."""
        from simulations.engines import engine_of
        from simulations.errors import OptionsError

        try:
            return engine_of(self.name, self.workers, self.address)
        except OptionsError as error:
            raise CommandError("WRONG_USE", str(error), exit_code=WRONG_USE) from error
