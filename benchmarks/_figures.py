"""What the benchmarks measured, as the page wants it: values with their standard errors, and scores by their parts."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

ERROR: Final = ": standard error"
SERVICE: Final = "routeward"
UNLEARNING: Final = ("best fixed model", "random")
_SCORE: Final = re.compile(r"score of (?P<policy>.+), (?P<scenario>[a-z-]+), (?P<part>[^,]+)")
_LEAD: Final = re.compile(r"lead over (?P<policy>.+), (?P<scenario>[a-z-]+)")
_OTHER: Final = re.compile(r"(?P<what>.+) of (?P<policy>.+), (?P<scenario>[a-z-]+)")


class Measured(NamedTuple):
    """A value and its standard error, None where there is none."""

    value: float
    error: float | None
    unit: str
    command: str
    ratio_to: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """What policies reached: scores by policy, scenario and part of it, routeward's leads by policy and scenario.

    `others` are by what they measure, policy and scenario: reactions in requests, and settings.
    """

    scores: dict[tuple[str, str, str], Measured] = field(default_factory=dict)
    leads: dict[tuple[str, str], Measured] = field(default_factory=dict)
    others: dict[tuple[str, str, str], Measured] = field(default_factory=dict)

    @property
    def policies(self) -> list[str]:
        """Every policy, in the order of the figures."""
        return list(dict.fromkeys(policy for policy, _, _ in self.scores))

    @property
    def scenarios(self) -> list[str]:
        """Every scenario, in the order of the figures."""
        return list(dict.fromkeys(scenario for _, scenario, _ in self.scores))

    def parts(self, scenario: str) -> list[str]:
        """The parts of a scenario, the whole first."""
        return list(dict.fromkeys(part for _, which, part in self.scores if which == scenario))

    def score(self, policy: str, scenario: str) -> float:
        """The score over a whole run."""
        return self.scores[policy, scenario, "all"].value

    def best_other(self, scenario: str) -> str:
        """The bandit, other than routeward, of the highest score over a whole run."""
        bandits = [policy for policy in self.policies if policy not in (SERVICE, *UNLEARNING)]
        return max(bandits, key=lambda policy: self.score(policy, scenario))


def by_benchmark(figures: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Measured]]:
    """Return figures by benchmark and name, each with its standard error, in their order."""
    rows = {(str(figure["benchmark"]), str(figure["name"])): figure for figure in figures}
    found: dict[str, dict[str, Measured]] = {}
    for (benchmark, name), figure in rows.items():
        if name.endswith(ERROR) and (benchmark, name.removesuffix(ERROR)) in rows:
            continue
        error = rows.get((benchmark, name + ERROR), {"value": None})["value"]
        found.setdefault(benchmark, {})[name] = Measured(
            figure["value"], error, figure["unit"], figure["command"], figure.get("ratio_to", "")
        )
    return found


def results_of(figures: Mapping[str, Measured]) -> Results:
    """Read scores, leads, reactions and settings from the figures of the benchmark `peers`."""
    results = Results()
    for name, measured in figures.items():
        if found := _SCORE.fullmatch(name):
            results.scores[found["policy"], found["scenario"], found["part"]] = measured
        elif found := _LEAD.fullmatch(name):
            results.leads[found["policy"], found["scenario"]] = measured
        elif found := _OTHER.fullmatch(name):
            results.others[found["what"], found["policy"], found["scenario"]] = measured
    return results


def settings_of(results: Results) -> Iterator[tuple[str, str, str]]:
    """Yield policy, scenario, and the setting that the policy was best with."""
    chosen: dict[tuple[str, str], list[str]] = {}
    for (what, policy, scenario), measured in results.others.items():
        if measured.unit == "setting":
            chosen.setdefault((policy, scenario), []).append(f"{what} {measured.value:g}".replace("_", " "))
    for (policy, scenario), settings in chosen.items():
        yield policy, scenario, ", ".join(settings)
