"""An invented table of outcomes, shaped like a real one: dear models are better on the whole, but not at everything.

Nothing in it stems from measurements of a real model.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bandit.catalogue import Prices
from simulations.errors import OutcomesError
from simulations.outcomes import COLUMNS, Answer, Outcomes

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class InventedModel:
    """An invented model: `skill` in logits of a good answer, its speed, and how much it writes and counts.

    `verbosity` and `tokenizer` multiply the tokens of answer and prompt.
    """

    id: str
    prices: Prices
    skill: float
    first_token_s: float
    tokens_per_s: float
    verbosity: float = 1.0
    tokenizer: float = 1.0


@dataclass(frozen=True, slots=True)
class Task:
    """An invented category: typical tokens of prompt and answer, and what it takes off a model's skill."""

    category: str
    input_tokens: float
    output_tokens: float
    difficulty: float


MODELS: Final = (
    InventedModel("north-large", Prices(2.5, 10.0), 2.6, 0.9, 60, 1.2),
    InventedModel("north-medium", Prices(0.8, 3.2), 2.1, 0.6, 80),
    InventedModel("north-mini", Prices(0.15, 0.6), 1.1, 0.35, 130, 0.9),
    InventedModel("south-pro", Prices(1.6, 8.0), 2.4, 1.0, 70, 1.1, 1.15),
    InventedModel("south-flash", Prices(0.1, 0.4), 1.2, 0.3, 180, 1.0, 1.15),
    InventedModel("open-70b", Prices(0.6, 0.8), 1.4, 0.4, 110, 1.1, 0.95),
    InventedModel("open-8b", Prices(0.05, 0.08), 0.3, 0.2, 200, 1.2, 0.95),
    InventedModel("west-reasoner", Prices(1.0, 4.0), 2.7, 4.0, 90, 3.5, 1.05),
)

TASKS: Final = (
    Task("classification", 350, 8, -0.6),
    Task("summarization", 2600, 220, 0.0),
    Task("code-review", 1800, 450, 1.0),
    Task("extraction", 900, 120, -0.2),
    Task("translation", 500, 420, 0.1),
    Task("question-answering", 1200, 160, 0.6),
)

SPECIALITY: Final = 0.7
"""Deviation of a model's skill from one category to another, in logits."""
PROMPT_HARDNESS: Final = 1.2
"""Deviation of what a prompt takes off every skill, in logits."""
_UNKNOWN: Final = 0.005


def generate(
    seed: int,
    *,
    prompts_per_category: int = 60,
    models: Sequence[InventedModel] = MODELS,
    tasks: Sequence[Task] = TASKS,
) -> Outcomes:
    """Return a table in which every model answered every prompt; equal arguments give equal tables.

    A half per cent of the answers lacks latency, output tokens and cost, as real logs do.
    """
    rng = np.random.default_rng(seed)
    answers = [answer for task in tasks for answer in _answers(rng, task, models, prompts_per_category)]
    return Outcomes(tuple(answers), {})


def write_csv(outcomes: Outcomes, path: Path) -> None:
    """Write a table that `read_outcomes` reads. Raises OutcomesError where that cannot be done."""
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(outcomes.answers)
    except OSError as error:
        raise OutcomesError(f"{path} cannot be written: {error.strerror}") from error


def _answers(rng: np.random.Generator, task: Task, models: Sequence[InventedModel], prompts: int) -> list[Answer]:
    shape = prompts, len(models)
    skill, first_token_s, tokens_per_s, verbosity, tokenizer = np.array(
        [(m.skill, m.first_token_s, m.tokens_per_s, m.verbosity, m.tokenizer) for m in models]
    ).T
    hardness = task.difficulty + rng.normal(0.0, PROMPT_HARDNESS, (prompts, 1))
    speciality = rng.normal(0.0, SPECIALITY, len(models))
    good = rng.random(shape) < 1.0 / (1.0 + np.exp(hardness - skill - speciality))
    length = rng.lognormal(0.0, 0.5, (prompts, 1))
    input_tokens = _counts(task.input_tokens * length * tokenizer * rng.lognormal(0.0, 0.02, shape))
    output_tokens = _counts(task.output_tokens * verbosity * tokenizer * rng.lognormal(0.0, 0.35, shape))
    waiting_s = first_token_s * rng.lognormal(0.0, 0.25, shape)
    latency_s = waiting_s + output_tokens / tokens_per_s * rng.lognormal(0.0, 0.2, shape)
    prices = np.array([(m.prices.input_usd_per_mtok, m.prices.output_usd_per_mtok) for m in models]).T * 1e-6
    cost_usd = input_tokens * prices[0] + output_tokens * prices[1]
    unknown = np.where(rng.random(shape) < _UNKNOWN, np.nan, 0.0)
    numbers = np.stack([good, cost_usd + unknown, latency_s * 1e3 + unknown, input_tokens, output_tokens + unknown], -1)
    return [
        Answer(
            f"{task.category}_{p}", task.category, model.id, *(None if x != x else x for x in numbers[p, m].tolist())
        )
        for p in range(prompts)
        for m, model in enumerate(models)
    ]


def _counts(tokens: Floats) -> Floats:
    counts: Floats = np.maximum(np.round(tokens), 1.0)
    return counts
