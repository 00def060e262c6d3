"""Options of `routeward replay`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

WHAT_IF: Final = "What if"
RUNS: Final = "Runs"


class Dry(StrEnum):
    """What to do where a model has no outcome left."""

    RESAMPLE = "resample"
    STOP = "stop"


class DriftBuckets(StrEnum):
    """Stretches of time whose outcomes stay together."""

    AUTO = "auto"
    HOUR = "hour"
    DAY = "day"
    NONE = "none"


Log = Annotated[Path, typer.Argument(metavar="LOG", help="Log of calls: a store, a file, or a folder of files.")]
Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Configuration: models, prices, objective, learning.", rich_help_panel=WHAT_IF),
]
Price = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODEL=IN,OUT[,CACHED]",
        help="Price in dollars per million tokens. Repeatable.",
        rich_help_panel=WHAT_IF,
    ),
]
Models = Annotated[
    str, typer.Option(metavar="A,B,C", help="Models to offer.", show_default="all", rich_help_panel=WHAT_IF)
]
Without = Annotated[
    list[str] | None, typer.Option(metavar="MODEL", help="Model not to offer. Repeatable.", rich_help_panel=WHAT_IF)
]
AnswerValueUsd = Annotated[
    float | None,
    typer.Option(help="Dollars that a fully good answer is worth.", show_default="the log's", rich_help_panel=WHAT_IF),
]
SecondValueUsd = Annotated[
    float | None,
    typer.Option(
        help="Dollars that a second less of waiting is worth.", show_default="the log's", rich_help_panel=WHAT_IF
    ),
]
Exploration = Annotated[
    float | None,
    typer.Option(
        help="What scales the deviation of the draw.", show_default="the configuration's", rich_help_panel=WHAT_IF
    ),
]
RefreshSeconds = Annotated[
    float | None,
    typer.Option(
        help="Time between two publications of what was learned; 0: before each request.",
        show_default="the configuration's",
        rich_help_panel=WHAT_IF,
    ),
]
AnswerDelaySeconds = Annotated[
    float | None,
    typer.Option(
        help="Time from a decision to its outcome's report.", show_default="the log's", rich_help_panel=WHAT_IF
    ),
]
JudgeDelaySeconds = Annotated[
    float | None,
    typer.Option(help="Time from a decision to its judgement.", show_default="the log's", rich_help_panel=WHAT_IF),
]
DryOption = Annotated[Dry, typer.Option(help="What to do where a model has no outcome left.", rich_help_panel=RUNS)]
DriftOption = Annotated[
    DriftBuckets, typer.Option(help="Stretches of time whose outcomes stay together.", rich_help_panel=RUNS)
]
Seeds = Annotated[int, typer.Option(help="Repetitions, at least 20.", rich_help_panel=RUNS)]
Workers = Annotated[int, typer.Option(help="Processes; 0 is one per core.", rich_help_panel=RUNS)]
Out = Annotated[Path | None, typer.Option("--json", metavar="OUT", help="File for the result; - prints it instead.")]
