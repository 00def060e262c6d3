"""What a caller can report of an answer: only what the world knows of it."""

import math

from bandit.signals import Fact, Outcome, Score, Status, Thumb, to_fixed_point
from simulations.world import Floats, World

QUALITY_SCORE = "quality"


def reports(world: World, prompt: int, model: int) -> tuple[Fact, ...]:
    """Return the facts about the answer of a model to a prompt, both given by their places in the world.

    An outcome, and of a known quality a thumb, or where the world's quality is graded a score named "quality".
    """
    outcome = Outcome(
        Status.OK,
        latency_us=_rounded(world.latency_s, prompt, model, 1e6),
        input_tokens=_rounded(world.input_tokens, prompt, model),
        output_tokens=_rounded(world.output_tokens, prompt, model),
    )
    quality = float(world.quality[prompt, model])
    if math.isnan(quality):
        return (outcome,)
    if world.graded:
        return outcome, Score(QUALITY_SCORE, to_fixed_point(quality))
    return outcome, Thumb(quality == 1.0)


def _rounded(table: Floats, prompt: int, model: int, units: float = 1.0) -> int | None:
    value = float(table[prompt, model])
    return None if math.isnan(value) else round(value * units)
