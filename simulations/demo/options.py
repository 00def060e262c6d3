"""What the demo can be told."""

from dataclasses import dataclass
from pathlib import Path

from bandit.request import Objective
from simulations import ranges
from simulations.ranges import check_range


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What to play.

    `outcomes` is a .parquet or .csv table, None for an invented one; `models` are those to choose from, by default
    all of a small table. `thumbs` is the share of answers that a user judges. Dollars value a fully good answer and a
    second of waiting. `seed` decides which prompts are asked and which answers are judged. `keep` is a folder for
    everything that the server writes, None for one that is removed at the end.
    """

    outcomes: Path | None = None
    models: tuple[str, ...] = ()
    requests: int = 4500
    thumbs: float = 0.5
    answer_value_usd: float = 0.05
    second_value_usd: float = 0.001
    requests_per_second: float = 250.0
    seed: int = 0
    keep: Path | None = None

    @property
    def objective(self) -> Objective:
        """What the callers value."""
        return Objective(self.answer_value_usd, self.second_value_usd)

    def check(self) -> None:
        """Raise OptionsError for a value that has no meaning."""
        check_range("--requests", self.requests, ranges.REQUESTS)
        check_range("--thumbs", self.thumbs, (0, 1))
        check_range("--answer-value-usd", self.answer_value_usd, ranges.ANSWER_VALUE_USD)
        check_range("--second-value-usd", self.second_value_usd, ranges.SECOND_VALUE_USD)
        check_range("--requests-per-second", self.requests_per_second, ranges.REQUESTS_PER_SECOND)
        check_range("--seed", self.seed, ranges.SEED)
