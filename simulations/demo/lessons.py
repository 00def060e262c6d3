"""What the server has learned, as it tells it, beside what is true in the world."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Final

import grpc

from routeward.v1.admin_service_pb2 import CategoryPosterior, GetPosteriorRequest, GetPosteriorResponse
from routeward.v1.admin_service_pb2_grpc import AdminServiceStub
from simulations.demo.accounts import Truth
from simulations.demo.errors import ServerFailedError

PUBLISHED_S: Final = 15.0
_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is believed of the model that the policy prefers in a category, and how good that choice is.

    `probability` is that of its being chosen; quality with its standard deviation, cost and latency are posterior
    means for a typical request. `behind_usd` is what a request loses in truth against `best_model`, 0 for the best.
    """

    category: str
    model: str
    probability: float
    quality: float
    quality_sd: float
    cost_usd: float
    latency_s: float
    outcomes: float
    judgements: float
    best_model: str
    behind_usd: float

    @property
    def is_best(self) -> bool:
        """Whether no model is better in truth."""
        return self.behind_usd == 0


def posterior(target: str, revision: int) -> GetPosteriorResponse:
    """Ask the server at `target` what it believes, once that includes `revision`. Raises ServerFailedError."""
    with grpc.insecure_channel(target, [("grpc.enable_http_proxy", 0)]) as channel:
        ask = AdminServiceStub(channel).GetPosterior
        try:
            return _published(lambda: ask(GetPosteriorRequest(), timeout=PUBLISHED_S), revision)
        except grpc.RpcError as error:
            raise ServerFailedError(f"the server did not tell what it learned: {error}") from error


def _published(ask: Callable[[], GetPosteriorResponse], revision: int) -> GetPosteriorResponse:
    deadline = monotonic() + PUBLISHED_S
    while (answer := ask()).revision < revision:
        if monotonic() > deadline:
            raise ServerFailedError(f"the server published revision {answer.revision}, but stored {revision}")
        sleep(_POLL_S)
    return answer


def lessons(learned: GetPosteriorResponse, truth: Truth, categories: tuple[str, ...]) -> tuple[Lesson, ...]:
    """Return one lesson per category of the world, in its order."""
    known = {one.category: one for one in learned.categories}
    return tuple(_lesson(known[name], truth, row) for row, name in enumerate(categories))


def _lesson(known: CategoryPosterior, truth: Truth, row: int) -> Lesson:
    believed = max(known.models, key=lambda one: one.probability)
    values = truth.value_usd[row]
    return Lesson(
        category=known.category,
        model=believed.model,
        probability=believed.probability,
        quality=believed.quality,
        quality_sd=believed.quality_sd,
        cost_usd=believed.cost_usd,
        latency_s=believed.latency.ToTimedelta().total_seconds(),
        outcomes=believed.outcome_count,
        judgements=believed.quality_count,
        best_model=truth.models[int(values.argmax())],
        behind_usd=float(values.max() - values[truth.models.index(believed.model)]),
    )
