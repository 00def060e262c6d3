"""What becomes of calls, drawn from the laws of their cells."""

from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from bandit.request import Objective
from simulations.generator import PROMPT_HARDNESS
from simulations.logs.cells import COUNTING, LENGTH, PACE, WAITING, WRITING, Cells
from simulations.logs.requests import Requests

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

JUDGED_AFTER_S: Final = 60.0
"""Mean time from an answer to its judgement."""


@dataclass(frozen=True, slots=True, eq=False)
class CallOutcomes:
    """Outcomes of n calls, arrays of shape (n,); NaN is unknown, as it is what a failed call would have written."""

    requested_tokens: Floats
    input_tokens: Floats
    output_tokens: Floats
    cost_usd: Floats
    latency_s: Floats
    first_token_s: Floats
    failed: Bools
    quality: Floats
    judged_after_s: Floats

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """Return the outcomes of several parts, one after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))

    def worth(self, objective: Objective) -> Floats:
        """Return what each call was worth, in fully good answers; NaN for an answer that nobody judged."""
        spent: Floats = self.cost_usd + objective.second_value_usd * self.latency_s
        return np.where(self.failed, 0.0, self.quality) - spent / objective.answer_value_usd


def outcomes_of(cells: Cells, requests: Requests, model: Ints, judged_share: float) -> CallOutcomes:
    """Return what becomes of requests that are served by these models, shape (n,)."""
    _, luck, failing, judged, rounding, rounding_of_request, waiting_for_judge = requests.uniforms
    length, counting, writing, waiting, pace = requests.normals
    category = requests.category
    cell = category * len(cells.models) + model

    def law(table: Floats) -> Floats:
        found: Floats = table.ravel()[cell]
        return found

    prompt = np.exp(LENGTH * length)
    input_tokens = np.floor(law(cells.input_tokens) * prompt * np.exp(COUNTING * counting) + rounding)
    output_tokens = np.floor(law(cells.output_tokens) * np.exp(WRITING * writing) + rounding)
    first_token_s = law(cells.first_token_s) * np.exp(WAITING * waiting)
    writing_s = output_tokens * law(cells.s_per_token) * np.exp(PACE * pace)
    cost_usd = input_tokens * cells.usd_per_token[0][model] + output_tokens * cells.usd_per_token[1][model]
    failed = failing < law(cells.error_rate)
    good = luck * (1.0 + np.exp(PROMPT_HARDNESS * requests.hardness - law(cells.ease))) < 1.0
    unjudged = failed | (judged >= judged_share)
    return CallOutcomes(
        requested_tokens=np.floor(cells.requested_tokens[category] * prompt + rounding_of_request),
        input_tokens=input_tokens,
        output_tokens=np.where(failed, np.nan, output_tokens),
        cost_usd=np.where(failed, 0.0, cost_usd),
        latency_s=first_token_s + np.where(failed, 0.0, writing_s),
        first_token_s=np.where(failed, np.nan, first_token_s),
        failed=failed,
        quality=np.where(unjudged, np.nan, good),
        judged_after_s=np.where(unjudged, np.nan, -JUDGED_AFTER_S * np.log1p(-waiting_for_judge)),
    )
