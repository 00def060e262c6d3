"""The service's own core, as simulations run it: sums, the snapshot published last, and what was asked of it."""

from collections.abc import Callable, Sequence

from bandit import Distribution, Posterior, Snapshot, Sums, infer, policy, snapshot_of
from bandit.catalogue import Model
from bandit.priors import InferenceSettings
from bandit.request import Request
from bandit.snapshot import PolicySettings


def _as_it_is(snapshot: Snapshot) -> Snapshot:
    return snapshot


class Core:
    """Publishes snapshots of sums, and keeps each distribution that was asked of the last one.

    `paced` may put budgets into a snapshot before it is published.
    """

    _posterior: Posterior
    _snapshot: Snapshot
    _distributions: dict[Request, Distribution]

    def __init__(
        self,
        models: Sequence[Model],
        inference: InferenceSettings,
        settings: PolicySettings,
        *,
        paced: Callable[[Snapshot], Snapshot] = _as_it_is,
    ) -> None:
        self._models = tuple(models)
        self._inference = inference
        self._settings = settings
        self._paced = paced

    def publish(self, sums: Sums, now_us: int) -> None:
        """Infer what is to be believed at a time, and decide by it from now on."""
        self._posterior = infer(sums, now_us, self._inference)
        self._publish()

    def offer(self, models: Sequence[Model]) -> None:
        """Change the catalogue: the next decision knows, and nothing is learned by it."""
        if tuple(models) != self._models:
            self._models = tuple(models)
            self._publish()

    def distribution(self, request: Request) -> Distribution:
        """Return the choice probabilities of a request. Raises InfeasibleError."""
        found = self._distributions.get(request)
        if found is None:
            found = self._distributions[request] = policy(self._snapshot, request)
        return found

    def _publish(self) -> None:
        self._snapshot = self._paced(snapshot_of(self._posterior, self._models, self._settings))
        self._distributions = {}
