"""What the demo can be told."""

import math
from dataclasses import dataclass
from pathlib import Path

from bandit.request import Objective
from simulations.errors import OptionsError


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What to play.

    `outcomes` is a .parquet or .csv table, None for an invented one; `models` are those to choose from, by default
    all of a small table. `thumbs` is the share of answers that a user judges. Dollars value a fully good answer and a
    second of waiting. `seed` decides the prompts, the judgements and the invented table. `keep` is a folder for
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
        if self.requests < 1:
            raise OptionsError(f"{self.requests} requests are too few; give at least 1")
        if not 0 <= self.thumbs <= 1:
            raise OptionsError(f"thumbs is a share from 0 to 1, not {self.thumbs:g}")
        if not (0 < self.answer_value_usd <= 1e6 and 0 <= self.second_value_usd <= 1e6):
            raise OptionsError("the value of an answer must be above 0 dollars, that of a second not below")
        if not 0 < self.requests_per_second < math.inf:
            raise OptionsError("requests per second must be above 0")
        if self.seed < 0:
            raise OptionsError("seeds count from 0")
