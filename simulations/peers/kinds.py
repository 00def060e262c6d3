"""Which peers there are, with the settings that each may be tuned over."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, Final

from simulations.errors import MissingPeersError
from simulations.peers.course import Course, Ints, Peer, courses_of, played
from simulations.peers.litellm import LiteLlm, LiteLlmSettings
from simulations.peers.mabwiser import MabwiserThompson, MabwiserUcb1, ThompsonSettings, Ucb1Settings
from simulations.peers.paretobandit import ParetoBandit, ParetoSettings
from simulations.peers.vowpalwabbit import RegCb, RegCbSettings, SquareCb, SquareCbSettings
from simulations.scenario import Scenario
from simulations.stream import Stream
from simulations.world import World


@dataclass(frozen=True, slots=True)
class Kind:
    """A peer: how to make one, its package, and a small grid over at most two settings, the documented ones first.

    Without a `package` it is our own code, after published rules. `learns_quality`: of that alone, not of worth.
    """

    make: Callable[[Course, Any], Peer[Any]]
    settings: Sequence[Any]
    package: str = ""
    learns_quality: bool = False


PEERS: Final[Mapping[str, Kind]] = {
    "litellm-adaptive": Kind(
        LiteLlm,
        [LiteLlmSettings(weight, tiers) for tiers in (True, False) for weight in (0.7, 0.9, 0.97)],
        learns_quality=True,
    ),
    "mabwiser-ts": Kind(MabwiserThompson, [ThompsonSettings(level) for level in (0.5, 0.65, 0.8)], "mabwiser"),
    "mabwiser-ucb1": Kind(MabwiserUcb1, [Ucb1Settings(alpha) for alpha in (1.0, 0.3, 0.1, 0.03)], "mabwiser"),
    "paretobandit": Kind(
        ParetoBandit,
        [
            ParetoSettings(),
            *(ParetoSettings(alpha, 0.997) for alpha in (0.05, 0.2)),
            *(ParetoSettings(alpha, 1.0) for alpha in (0.5, 1.0)),
        ],
        "pareto_bandit",
    ),
    "vw-regcb": Kind(
        RegCb, [RegCbSettings(mellow, rate) for mellow in (0.1, 0.01, 0.001) for rate in (0.5, 2.0)], "vowpalwabbit"
    ),
    "vw-squarecb": Kind(
        SquareCb,
        [SquareCbSettings(scale, rate) for scale in (10.0, 100.0, 200.0) for rate in (0.5, 2.0)],
        "vowpalwabbit",
    ),
}


def check_installed(names: Iterable[str]) -> None:
    """Raise MissingPeersError unless the packages of these peers are installed."""
    packages = {PEERS[name].package for name in names} - {""}
    missing = sorted(package for package in packages if find_spec(package) is None)
    if missing:
        raise MissingPeersError(
            f"the peers' packages are not all installed ({', '.join(missing)}): "
            "in a checkout run make peers, elsewhere pip install mabwiser paretobandit vowpalwabbit"
        )


@dataclass(frozen=True, slots=True)
class Trial:
    """One peer with one setting on every stream of a run; its runs can go to other processes."""

    peer: str
    setting: int
    courses: Sequence[Course]

    @property
    def runs(self) -> list[Callable[[], Ints]]:
        """The runs, one per stream."""
        return [partial(_run, self.peer, self.setting, course) for course in self.courses]


def trials_of(peers: Collection[str], world: World, scenario: Scenario, streams: Sequence[Stream]) -> list[Trial]:
    """Return every setting of these peers as trials."""
    if not peers:
        return []
    worth, quality = (courses_of(world, scenario, streams, quality=quality) for quality in (False, True))
    return [
        Trial(name, setting, quality if PEERS[name].learns_quality else worth)
        for name in peers
        for setting in range(len(PEERS[name].settings))
    ]


def _run(peer: str, setting: int, course: Course) -> Ints:
    kind = PEERS[peer]
    return played(kind.make(course, kind.settings[setting]), course)
