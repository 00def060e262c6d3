"""What callers ask for and tell, after validation: values without a trace of the wire.

They are tuples because one is made per call. None is unknown or not limited.
"""

from typing import Final, NamedTuple

from bandit.signals import Fact


class Constraints(NamedTuple):
    """What the chosen model must satisfy; empty and None do not limit."""

    models: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    region: str = ""
    max_cost_usd: float | None = None
    max_latency_s: float | None = None
    min_quality: float | None = None
    least_violation: bool = False


UNCONSTRAINED: Final = Constraints()


class Call(NamedTuple):
    """A call to an LLM that needs a model."""

    category: str
    request_id: str = ""
    input_tokens: int | None = None
    max_output_tokens: int | None = None
    profile: str = ""
    answer_value_usd: float | None = None
    second_value_usd: float | None = None
    constraints: Constraints = UNCONSTRAINED
    model: str = ""
    previous_decision_id: str = ""
    cached_input_tokens: int | None = None
    session_id: str = ""


class Observation(NamedTuple):
    """One signal about a decision: `fact` is None where it is taken back; the time None where it was not sent."""

    signal: str
    fact: Fact | None
    observed_us: int | None = None


class Report(NamedTuple):
    """How one decision went; each signal name occurs once."""

    decision_id: str
    observations: tuple[Observation, ...]
    rater: str = ""
