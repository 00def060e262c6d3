"""What may stand in a world file, table by table: every key with its type, range, default and meaning."""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from adapters.toml.kinds import FileName, Name, Rule, UsdPerMtok
from adapters.toml.reference import Reference
from adapters.toml.table import Table
from simulations import ranges
from simulations.worlds.positions import Place

KINDS: Final = {
    "quality-drop": ("model", "from", "to", "share"),
    "outage": ("model", "from", "to", "share"),
    "latency-change": ("model", "from", "to", "factor"),
    "price-change": ("model", "from", "to", "factor"),
    "false-judgements": ("model", "favoured", "from", "to", "share"),
    "model-added": ("model", "from"),
    "categories-added": ("count", "from"),
}
"""Kinds of events, and the keys that each has beside its kind."""

Kind = Annotated[str, StringConstraints(pattern=f"^({'|'.join(KINDS)})$"), Rule(", ".join(KINDS))]
_ROLES: Final = Rule("a model of the world, or best, worst, bargain, dearest")
Model = Annotated[str, StringConstraints(min_length=1, max_length=200), _ROLES]
Share = Annotated[float, Field(ge=0, le=1)]
Title = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,60}$"), Rule("1 to 60 characters")]


class ObjectiveTable(Table):
    """What a request values."""

    answer_value_usd: float = Field(
        default=0.05, ge=ranges.ANSWER_VALUE_USD[0], le=ranges.ANSWER_VALUE_USD[1], description="a fully good answer"
    )
    second_value_usd: float = Field(
        default=0.001, ge=0, le=ranges.SECOND_VALUE_USD[1], description="a second less of waiting"
    )


class ModelTable(Table):
    """An invented model."""

    id: Name = Field(description="name of the model", examples=["small"])
    input_usd_per_mtok: UsdPerMtok = Field(description="price of a million tokens of prompts", examples=[0.15])
    output_usd_per_mtok: UsdPerMtok = Field(description="price of a million tokens of answers", examples=[0.6])
    skill: float = Field(
        ge=-20, le=20, description="logits of a good answer at a task of no difficulty", examples=[1.1]
    )
    first_token_s: float = Field(ge=0.001, le=3600, description="typical wait for the first token", examples=[0.35])
    tokens_per_s: float = Field(ge=0.01, le=1_000_000, description="pace of writing", examples=[130.0])
    verbosity: float = Field(default=1.0, ge=0.01, le=100, description="multiplies the tokens of answers")
    tokenizer: float = Field(default=1.0, ge=0.01, le=100, description="multiplies all tokens")


class TaskTable(Table):
    """An invented category."""

    category: Name = Field(description="name of the category", examples=["summarization"])
    input_tokens: float = Field(ge=1, le=1_000_000, description="typical tokens of a prompt", examples=[2600.0])
    output_tokens: float = Field(ge=1, le=1_000_000, description="typical tokens of an answer", examples=[220.0])
    difficulty: float = Field(default=0.0, ge=-20, le=20, description="logits that it takes off a model's skill")


class GeneratorTable(Table):
    """An invented table of outcomes, in place of one from a file."""

    seed: int = Field(default=0, ge=0, le=ranges.SEED[1], description="equal seeds give equal tables")
    prompts: int = Field(default=60, ge=1, le=100_000, description="prompts per category")
    models: list[ModelTable] = Field(default_factory=list, max_length=100)
    tasks: list[TaskTable] = Field(default_factory=list, max_length=1000)


class EventTable(Table):
    """Something that happens. Which keys it has, its kind says."""

    kind: Kind = Field(description="what happens", examples=["quality-drop"])
    from_: Place = Field(alias="from", description="first request of it", examples=["33%"])
    to: Place | None = Field(
        default=None, description="first request after it; the end of the run if not given", examples=["67%"]
    )
    model: Model | None = Field(default=None, description="to which model", examples=["best"])
    favoured: Model | None = Field(
        default=None, description="the model that false judgements favour", examples=["worst"]
    )
    share: Share | None = Field(default=None, description="of answers, calls or requests", examples=[0.6])
    factor: float | None = Field(
        default=None, ge=0.0001, le=10_000, description="what prices or waiting are multiplied by", examples=[10.0]
    )
    count: int | None = Field(default=None, ge=1, le=1000, description="categories that are added", examples=[3])


class PhaseTable(Table):
    """A part of the run that results are told of."""

    name: Title = Field(description="what it is called", examples=["before"])
    from_: Place = Field(alias="from", description="its first request", examples=["0%"])
    to: Place | None = Field(
        default=None, description="the first request after it; the end if not given", examples=["33%"]
    )
    first_new: int | None = Field(
        default=None,
        ge=1,
        le=ranges.REQUESTS[1],
        description="only that many requests, in categories that were added",
        examples=[800],
    )


class ArrivalsTable(Table):
    """When requests come: at one pace, or as in a trace."""

    requests_per_second: float | None = Field(
        default=None,
        ge=ranges.REQUESTS_PER_SECOND[0],
        le=ranges.REQUESTS_PER_SECOND[1],
        description="pace; 1 without a trace",
        examples=[5.0],
    )
    file: FileName | None = Field(
        default=None, description="trace, .csv or .parquet: a row a request", examples=["trace.parquet"]
    )
    column: Title = Field(default="t_s", description="column of the trace with seconds from its start, ascending")
    trace: Title | None = Field(
        default=None, description="of a file with several traces, the one to take", examples=["azure2023_conv"]
    )
    trace_column: Title = Field(default="trace", description="column with the names of traces")
    size_column: Title | None = Field(
        default=None,
        description="column with the tokens of prompts: a long request of the trace has a long prompt of the table",
        examples=["input_tokens"],
    )
    speed: float = Field(default=1.0, ge=0.001, le=1000, description="how much faster than in the trace requests come")


class ServiceTable(Table):
    """The pace of the service."""

    refresh_seconds: float | None = Field(
        default=None, ge=0, le=1_000_000, description="between two publications of what was learned", examples=[5.0]
    )


class WorldDocument(Table):
    """A world file."""

    name: Title | None = Field(default=None, description="what results call the world; the file's name if not given")
    outcomes: FileName | None = Field(
        default=None, description="table of outcomes, .csv or .parquet; relative to this file", examples=["table.csv"]
    )
    models: list[Name] = Field(
        default_factory=list, max_length=100, description="models of the table to choose from; all if not given"
    )
    steps: int | None = Field(
        default=None, ge=1, le=ranges.REQUESTS[1], description="requests per seed", examples=[4500]
    )
    seeds: int | None = Field(default=None, ge=1, le=10_000, description="repetitions", examples=[16])
    first_seed: int | None = Field(default=None, ge=0, le=ranges.SEED[1], description="the first of them")
    by_share: bool = Field(default=False, description="categories come as often as in the table, not equally often")
    quality_delay: int | None = Field(
        default=None, ge=0, le=10_000_000, description="requests until quality is reported", examples=[100]
    )
    quality_share: Share | None = Field(
        default=None, description="of the requests, those with reported quality", examples=[0.5]
    )
    budget_usd: float | None = Field(
        default=None, gt=0, le=1_000_000, description="what a request may cost on average", examples=[0.001]
    )
    objective: ObjectiveTable | None = None
    objectives: list[ObjectiveTable] = Field(default_factory=list, max_length=100)
    generator: GeneratorTable | None = None
    arrivals: ArrivalsTable | None = None
    service: ServiceTable | None = None
    events: list[EventTable] = Field(default_factory=list, max_length=1000)
    phases: list[PhaseTable] = Field(default_factory=list, max_length=100)


REFERENCE: Final = Reference(WorldDocument)
