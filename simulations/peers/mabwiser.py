"""mabwiser: a bandit of its own for each task, of the two kinds that it documents without contexts."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from bandit.catalogue import Model
from simulations.peers.course import Course
from simulations.stream import noise


class Ucb1Settings(NamedTuple):
    """What the confidence bound is multiplied with; the default is the package's."""

    alpha: float = 1.0


class ThompsonSettings(NamedTuple):
    """The reward above which an answer counts as a success; the package has no default."""

    threshold: float = 0.5


class _Mabwiser(ABC):
    """One of the package's bandits for each task, made when the task is first met."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._noise = noise(course.seed)
        self._bandits: dict[int, Any] = {}
        self._offered: list[int] = []

    @abstractmethod
    def new_bandit(self, models: list[int], seed: int) -> Any:
        """Return the package's bandit of a task."""

    def offer(self, models: Sequence[Model]) -> None:
        """Add models that are new to the bandits, and remove those that cannot be chosen any more."""
        self._offered = [m for m, model in enumerate(models) if model.enabled]
        for bandit in self._bandits.values():
            for model in self._offered:
                if model not in bandit.arms:
                    bandit.add_arm(model)
            for model in [arm for arm in bandit.arms if arm not in self._offered]:
                bandit.remove_arm(model)

    def choose(self, category: int, objective: int) -> tuple[int, tuple[int, int]]:
        """Ask the bandit of the task."""
        task = self._course.task(category, objective)
        if task not in self._bandits:
            self._bandits[task] = self.new_bandit(self._offered, int(self._noise.integers(2**31)))
        model = self.chosen(task)
        return model, (task, model)

    def chosen(self, task: int) -> int:
        """Return the package's choice."""
        return int(self._bandits[task].predict())

    def learn(self, ticket: tuple[int, int], reward: float) -> None:
        """Teach the bandit of the task, unless it has no such model any more."""
        task, model = ticket
        if model in self._bandits[task].arms:
            self._bandits[task].partial_fit([model], [reward])


class MabwiserUcb1(_Mabwiser):
    """UCB1 with a multiplier.

    The package rates a model without rewards at 0, and would never try one of several: so the bandit is asked once
    each has a reward, and until then the one tried the least often is chosen, as the algorithm wants it.
    """

    def __init__(self, course: Course, settings: Ucb1Settings) -> None:
        super().__init__(course)
        self._settings = settings
        self._tries: Counter[tuple[int, int]] = Counter()
        self._rewarded: set[tuple[int, int]] = set()

    def new_bandit(self, models: list[int], seed: int) -> Any:
        """Return a bandit that knows nothing."""
        from mabwiser.mab import MAB, LearningPolicy

        return MAB(list(models), LearningPolicy.UCB1(self._settings.alpha), seed=seed)

    def chosen(self, task: int) -> int:
        """Try what has no reward yet; then return the package's choice."""
        untried = [model for model in self._offered if (task, model) not in self._rewarded]
        if not untried:
            return super().chosen(task)
        model = min(untried, key=lambda m: self._tries[task, m])
        self._tries[task, model] += 1
        return model

    def learn(self, ticket: tuple[int, int], reward: float) -> None:
        """Note that there is a reward, and teach it."""
        self._rewarded.add(ticket)
        super().learn(ticket, reward)


class MabwiserThompson(_Mabwiser):
    """Beta Thompson sampling, which needs successes and failures: the package's binarizer makes them."""

    def __init__(self, course: Course, settings: ThompsonSettings) -> None:
        super().__init__(course)
        self._settings = settings

    def new_bandit(self, models: list[int], seed: int) -> Any:
        """Return a bandit that was fitted to nothing, because one that was not cannot be asked."""
        from mabwiser.mab import MAB, LearningPolicy

        bandit = MAB(list(models), LearningPolicy.ThompsonSampling(self._success), seed=seed)
        bandit.fit([], [])
        return bandit

    def _success(self, model: int, reward: float) -> int:  # noqa: ARG002 -- the package's signature
        return int(reward > self._settings.threshold)
