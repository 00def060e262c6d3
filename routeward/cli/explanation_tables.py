"""Why a decision came out as it did, for people: money per 1,000 calls, so that it can be read."""

from typing import TYPE_CHECKING, Final

from routeward.cli.grids import Fitting, Grid, believed, seen
from routeward.cli.output import percent, seconds, usd
from routeward.decisions import DecisionKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import RenderableType
    from rich.text import Text

    from routeward.explanations import Explanation, ModelExplanation, ModelTerms

CALLS: Final = 1000
LEAST_FIRST: Final = ("votes", "calls", "P(best)", "quality", "without", "budget", "waiting", "answer")
WORTH_SAYING: Final = 0.1
"""Probability of a shift from which it is mentioned."""


def on_paper(explanation: "Explanation") -> "RenderableType":
    """Return what a person reads."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    title = f"Dollars per {CALLS:,} calls"
    return Group(
        Text(_headline(explanation), "bold"),
        Padding(_facts(explanation), (0, 0, 1, 2), expand=False),
        Fitting({title: _grid(explanation.models)}, LEAST_FIRST),
        Padding(Text("\n".join(_notes(explanation)), "dim"), 0, expand=False),
    )


def _headline(explanation: "Explanation") -> str:
    made, how = explanation.decision, explanation.kind.name.lower()
    if made is None:
        likeliest = explanation.models[0]
        return f"would be {how}: {likeliest.model} with probability {likeliest.probability:.3g}"
    if explanation.kind is DecisionKind.FALLBACK:
        first = f"{made.model}, which was chosen with probability {made.propensity:.3g}"
        return f"{made.fallback_model}, a fallback in case of a failure of {first}"
    return f"{made.model}, {how} with probability {made.propensity:.3g}"


def _facts(explanation: "Explanation") -> "RenderableType":
    from rich.table import Table

    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    if explanation.decision:
        facts.add_row("decided", f"{explanation.decision.decided_time:%Y-%m-%d %H:%M:%S} UTC")
    facts.add_row("category", explanation.category)
    if explanation.reason:
        facts.add_row("reason", explanation.reason.name.lower().replace("_", " "))
    if explanation.input_tokens is not None:
        facts.add_row("prompt", f"{explanation.input_tokens:,} tokens")
    objective = explanation.objective
    answer, second = usd(objective.answer_value_usd or 0.0), usd(objective.second_value_usd or 0.0)
    facts.add_row("objective", f"{answer} for a good answer, {second} for a second less")
    if limits := ", ".join(_limits(explanation)):
        facts.add_row("limits", limits)
    computed = f"{explanation.computed_time:%Y-%m-%d %H:%M:%S} UTC"
    facts.add_row("learned", f"revision {explanation.revision}, {computed}")
    return facts


def _limits(explanation: "Explanation") -> "Iterator[str]":
    limits = explanation.limits
    if limits.max_cost_usd is not None:
        yield f"cost at most {usd(limits.max_cost_usd)}"
    if limits.max_latency_s is not None:
        yield f"latency at most {seconds(limits.max_latency_s)}"
    if limits.min_quality is not None:
        yield f"quality at least {limits.min_quality:g}"


def _grid(models: "Sequence[ModelExplanation]") -> Grid:
    return Grid(
        [f"{one.model} ({one.excluded})" if one.excluded else one.model for one in models],
        _cells(models),
        ["dim" if one.excluded else None for one in models],
    )


def _cells(models: "Sequence[ModelExplanation]") -> "Mapping[str, Sequence[Text]]":
    cells = {"share": [_share(one.probability) for one in models]}
    for heading, probabilities in (
        ("without", [one.intended_probability for one in models]),
        ("P(best)", [one.best_probability for one in models]),
    ):
        if any(probability is not None for probability in probabilities):
            cells[heading] = [_share(probability) for probability in probabilities]
    scarce = any(one.terms and one.terms.budget_usd for one in models)
    for heading, cell in TERMS.items():
        if heading != "budget" or scarce:
            cells[heading] = [cell(one.terms) if one.terms else _empty() for one in models]
    return cells


def _notes(explanation: "Explanation") -> "Iterator[str]":
    models = explanation.models
    known = {one.model: one.terms for one in models if one.terms}
    calls = [terms.outcome_count for terms in known.values()]
    if calls and all(count is not None and not seen(count) for count in calls):
        yield f'no call of the category "{explanation.category}" was reported yet: everything is expected beforehand'
    scarce = " - budget" if any(terms.budget_usd for terms in known.values()) else ""
    yield f"worth = answer - cost{scarce} - waiting, give or take one standard deviation"
    if any(one.intended_probability is not None for one in models):
        yield "without: the share it would have without the category's baseline"
    counts = [count for terms in known.values() for count in (terms.outcome_count, terms.quality_count)]
    if any(count is not None and not seen(count) for count in counts):
        yield "in brackets: expected of a model that nothing was observed of in this category"
    if None in counts:
        yield "on how many calls and votes it rests was not logged yet"
    for model, terms in known.items():
        for signal, shift in (
            ("quality", terms.quality_shift),
            ("error rate", terms.error_shift),
            ("latency", terms.latency_shift),
        ):
            if (shift or 0.0) >= WORTH_SAYING:
                yield f"{model}: {signal} is at another level than usual with probability {shift:.2g}"


def _empty() -> "Text":
    from rich.text import Text

    return Text("")


def _share(probability: float | None) -> "Text":
    from rich.text import Text

    return Text("" if probability is None else percent(probability))


def _count(value: float | None) -> "Text":
    from rich.text import Text

    return Text("?" if value is None else f"{value:,.0f}")


def _money(value: float) -> str:
    return usd(CALLS * value)


def _worth(terms: "ModelTerms") -> "Text":
    shown = _money(terms.utility_usd)
    if terms.utility_sd_usd is not None:
        shown += f" ± {_money(terms.utility_sd_usd).removeprefix('$')}"
    return _rests_on(shown, terms.outcome_count, terms.quality_count)


def _rests_on(shown: str, *counts: float | None) -> "Text":
    return believed(shown, *(count for count in counts if count is not None))


TERMS: "Final[Mapping[str, Callable[[ModelTerms], Text]]]" = {
    "quality": lambda one: _rests_on(f"{one.quality:.3f}", one.quality_count),
    "answer": lambda one: _rests_on(_money(one.answer_usd), one.quality_count),
    "cost": lambda one: _rests_on(_money(one.cost_usd), one.outcome_count),
    "budget": lambda one: _rests_on(_money(one.budget_usd), one.outcome_count),
    "waiting": lambda one: _rests_on(_money(one.waiting_usd), one.outcome_count),
    "worth": _worth,
    "calls": lambda one: _count(one.outcome_count),
    "votes": lambda one: _count(one.quality_count),
}
