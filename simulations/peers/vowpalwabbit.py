"""Vowpal Wabbit's contextual bandits (`--cb_explore_adf`): SquareCB and optimistic RegCB.

Features are category, objective and model, the products of category and model, and, where there are several
objectives, of all three.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from bandit.catalogue import Model
from simulations.peers.course import Course
from simulations.stream import noise


class SquareCbSettings(NamedTuple):
    """How fast exploration fades, and the learning rate; defaults are the package's."""

    gamma_scale: float = 10.0
    learning_rate: float = 0.5


class RegCbSettings(NamedTuple):
    """How wide the confidence set is, and the learning rate; defaults are the package's."""

    mellowness: float = 0.1
    learning_rate: float = 0.5


class Decision(NamedTuple):
    """An example that waits for its cost: its lines, which action was chosen, and with which probability."""

    lines: list[str]
    action: int
    probability: float


class _VowpalWabbit:
    """Draws from the distribution that an explorer gives, and learns the cost 1 - reward."""

    explorer: ClassVar[str]

    def __init__(self, course: Course, settings: SquareCbSettings | RegCbSettings) -> None:
        from vowpalwabbit import Workspace

        self._noise = noise(course.seed)
        self._workspace = Workspace(
            quiet=True,
            random_seed=course.seed,
            cb_explore_adf=True,
            interactions=["cm"] if course.sizes[1] == 1 else ["cm", "com"],
            **{self.explorer: True},
            **settings._asdict(),
        )

    def offer(self, models: Sequence[Model]) -> None:
        """List the models that can be chosen as the actions."""
        self._models = [m for m, model in enumerate(models) if model.enabled]
        self._actions = [f"|m model={m}" for m in self._models]

    def choose(self, category: int, objective: int) -> tuple[int, Decision]:
        """Draw one of the actions."""
        lines = [f"shared |c category={category} |o objective={objective}", *self._actions]
        shares = self._workspace.predict(lines)
        action = _drawn(shares, float(self._noise.random()))
        return self._models[action], Decision(lines, action, shares[action])

    def learn(self, ticket: Decision, reward: float) -> None:
        """Teach the cost of the action that was chosen."""
        lines, action, probability = ticket
        labelled = f"0:{1.0 - reward}:{probability} {lines[action + 1]}"
        self._workspace.learn([*lines[: action + 1], labelled, *lines[action + 2 :]])


class SquareCb(_VowpalWabbit):
    """SquareCB (Foster and Rakhlin 2020): probabilities fall with the gap to the best prediction."""

    explorer = "squarecb"


class RegCb(_VowpalWabbit):
    """RegCB, optimistic (Foster et al. 2018): the action whose cost may be lowest, by a version space of regressors."""

    explorer = "regcbopt"


def _drawn(shares: Sequence[float], uniform: float) -> int:
    """Return the place in whose share a uniform number falls; shares add up to 1 but for rounding."""
    left = uniform * sum(shares)
    for place, share in enumerate(shares):
        left -= share
        if left < 0.0:
            return place
    return max(place for place, share in enumerate(shares) if share > 0.0)
