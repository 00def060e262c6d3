"""What a report shows, whichever command found it. Unknown is None, never zero.

Values are dollars per request; `answer` is the share of a fully good answer that a request got; costs are dollars and
latencies seconds per request.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import NormalDist
from typing import Any, Final, NamedTuple

from simulations.page.fields import Interval, Numbers

GREEN, AMBER, RED = "green", "amber", "red"
STATUSES: Final = (GREEN, AMBER, RED)
LOGGED: Final = "logged"
"""The policy that wrote the log."""
EVERYWHERE: Final = "all categories"


class Check(NamedTuple):
    """One check of the gate, of one policy or of the whole log (policy is empty)."""

    name: str
    policy: str
    status: str
    value: float | None
    limit: float | None
    says: str


class Moved(StrEnum):
    """What makes a policy choose otherwise than it did, so that its means tell nothing any more."""

    NOTHING = "nothing"
    OFFER = "offer"
    """Another price, or another set of models."""
    ANYTHING = "anything"
    """It learns, or was chosen in hindsight."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What was found of one policy.

    `headline` and `lift` are None where the gate refused them. `components` has answer, cost_usd, latency_s and error,
    `components_se` their standard errors, `shares` the share of requests per model. `simultaneous` is the lift with the
    interval that holds all compared policies at once; None where there is none, as of a single policy.
    """

    name: str
    status: str
    reasons: tuple[str, ...] = ()
    estimator: str = ""
    headline: Interval | None = None
    lift: Interval | None = None
    simultaneous: Interval | None = None
    estimates: Mapping[str, Interval] = field(default_factory=dict)
    components: Mapping[str, float | None] = field(default_factory=dict)
    components_se: Mapping[str, float | None] = field(default_factory=dict)
    weights: Mapping[str, float | None] = field(default_factory=dict)
    shares: Mapping[str, float | None] = field(default_factory=dict)
    toml: str = ""
    moved_by: Moved = Moved.NOTHING
    hindsight: bool = False

    @property
    def surest(self) -> Interval | None:
        """The lift with the interval to be judged by: that of all policies at once where they were compared."""
        return self.lift if self.simultaneous is None else self.simultaneous

    @property
    def refused(self) -> bool:
        """Whether the gate lets no number of it stand."""
        return self.status == RED


class Point(NamedTuple):
    """A policy on the front of cost and quality, with the configuration that deploys it.

    `answer_value_usd` is what an answer is worth where it is the best choice, None of a policy that somebody named;
    `shares` are those of its models where the document does not have them of a policy of that name.
    """

    name: str
    answer: float | None
    answer_se: float | None
    cost_usd: float | None
    cost_usd_se: float | None
    latency_s: float | None
    toml: str
    answer_value_usd: float | None = None
    shares: Mapping[str, float | None] = {}


class Cell(NamedTuple):
    """What is known of a model in a category."""

    category: str
    model: str
    rows: float | None
    answer: float | None
    answer_se: float | None
    cost_usd: float | None
    latency_s: float | None
    error: float | None
    p_best: float | None


class Course(NamedTuple):
    """What a policy added up to over time, in dollars, at each of the timeline's moments: value, spend, their bands."""

    value: Numbers
    low: Numbers
    high: Numbers
    spend: Numbers
    spend_low: Numbers = ()
    spend_high: Numbers = ()


@dataclass(frozen=True, slots=True)
class Timeline:
    """Moments, sums up to each, and shares of models at each: by the policy whose choices they are, and category.

    Moments are microseconds since 1970-01-01 UTC, or where the log has no times, rows.
    """

    moments: Numbers
    timed: bool
    courses: Mapping[str, Course]
    shares: Mapping[str, Mapping[str, Mapping[str, Numbers]]]


class Change(NamedTuple):
    """Something that happened at a moment of the timeline."""

    at: float
    category: str
    model: str
    what: str


class Latencies(NamedTuple):
    """Histograms of latency: n+1 edges in seconds, the last None for no end; n counts of each model and policy."""

    edges_s: Numbers
    models: Mapping[str, Numbers]
    policies: Mapping[str, Numbers]


class Bin(NamedTuple):
    """Logged probabilities from low to high: how often a model was expected to be drawn, and how often it was."""

    low: float | None
    high: float | None
    expected: float | None
    chosen: float | None
    n: float | None


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that one document says.

    `document` is what it was read from, `confidence` that of its intervals. `subjects` are the policies that the
    verdict is about; none named, all but the baseline are. `prices` are dollars per million tokens of prompt and of
    answer.
    """

    kind: str
    document: Mapping[str, Any]
    name: str
    verdict: str
    rows: float | None = None
    first_us: float | None = None
    last_us: float | None = None
    format: str = ""
    rejected: Mapping[str, float | None] = field(default_factory=dict)
    answer_value_usd: float | None = None
    second_value_usd: float | None = None
    baseline: str = LOGGED
    confidence: float = 0.95
    subjects: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    policies: Mapping[str, Policy] = field(default_factory=dict)
    front: tuple[Point, ...] = ()
    cells: tuple[Cell, ...] = ()
    models: tuple[str, ...] = ()
    prices: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    categories: Mapping[str, float | None] = field(default_factory=dict)
    timeline: Timeline | None = None
    changes: tuple[Change, ...] = ()
    latencies: Latencies | None = None
    calibration: tuple[Bin, ...] = ()
    missingness: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)

    @property
    def deviations(self) -> float:
        """Standard errors from an estimate to an end of its interval."""
        return NormalDist().inv_cdf(0.5 + self.confidence / 2.0)

    def stands(self, name: str) -> bool:
        """Whether numbers of this name may be shown.

        Of what ran they always may; of a policy unless it or the log is refused; of other names, which no gate looked
        at, unless the log supports no policy at all.
        """
        if name == self.baseline:
            return True
        if self.verdict == RED or self.supports_none:
            return False
        return name not in self.policies or not self.policies[name].refused

    @property
    def supports_none(self) -> bool:
        """Whether there are policies to compare with what ran, and every one of them is refused."""
        compared = [policy.refused for name, policy in self.policies.items() if name != self.baseline]
        return bool(compared) and all(compared)

    @property
    def requests_per_month(self) -> float | None:
        """The pace of the log, None where its times are unknown."""
        if not self.rows or self.first_us is None or self.last_us is None or self.last_us <= self.first_us:
            return None
        return self.rows / ((self.last_us - self.first_us) / 1e6) * 86_400 * 365.25 / 12
