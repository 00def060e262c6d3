"""What other values, other prices, or fewer models would mean: computed from sufficient statistics.

A value is linear in what answers, costs and latencies were, so these means are all it takes. `assets/whatif.js` does
the same arithmetic in the same order, on the statistics that `statistics` puts into the page.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from simulations.page.palette import FIXED
from simulations.page.result import Moved, Point, Policy, Result

BEST: Final = "best model of each category"
_TOLERANCE: Final = 0.05
"""By which a value may differ from that of its means: some of both may be unknown."""
UNSPLIT: Final = ""
"""Stands for the models of a cost that nobody knows how to split."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked: dollars per answer and per second, factors on models' prices, models not offered."""

    answer_value_usd: float
    second_value_usd: float
    price_factors: Mapping[str, float] = field(default_factory=dict)
    dropped: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Means:
    """Means per request: share of a good answer, dollars by model, seconds.

    `models` are those in use, empty where nobody knows them.
    """

    answer: float | None
    costs_usd: Mapping[str, float | None]
    latency_s: float | None
    models: tuple[str, ...] = ()
    moved_by: Moved = Moved.NOTHING


@dataclass(frozen=True, slots=True)
class Statistics:
    """All that a what-if needs.

    `asked` is what was evaluated (None: nobody knows), `policies` are those whose numbers stand; `shares` of the
    categories' requests sum to 1; `cells` are means by category and model; `incomparable` are policies that nobody
    could have known.
    """

    asked: Wishes | None
    models: tuple[str, ...]
    shares: Mapping[str, float]
    cells: Mapping[str, Mapping[str, Means]]
    policies: Mapping[str, Means]
    incomparable: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return it as the page carries it."""
        return asdict(self)


def statistics(result: Result) -> Statistics:
    """Return the sufficient statistics of a result."""
    cells: dict[str, dict[str, Means]] = {}
    model_costs = _model_costs(result)
    for cell in result.cells:
        means = Means(cell.answer, {cell.model: cell.cost_usd}, cell.latency_s, (cell.model,))
        cells.setdefault(cell.category, {})[cell.model] = means
    answer, second = result.answer_value_usd, result.second_value_usd
    return Statistics(
        asked=None if answer is None or second is None else Wishes(answer, second),
        models=result.models,
        shares=_category_shares(result),
        cells=cells,
        policies={name: _means(policy, model_costs) for name, policy in result.policies.items() if result.stands(name)},
        incomparable=tuple(name for name, policy in result.policies.items() if policy.hindsight),
    )


def means_tell(result: Result, known: Statistics) -> bool:
    """Tell whether means come to the value that was found of what ran: not where requests have values of their own."""
    ran, means = result.policies.get(result.baseline), known.policies.get(result.baseline)
    found = ran.headline.value if ran is not None and ran.headline is not None else None
    if found is None or means is None or known.asked is None or (value := value_of(means, known.asked)) is None:
        return True
    return abs(value - found) <= _TOLERANCE * max(abs(value), abs(found))


def value_of(means: Means, wishes: Wishes) -> float | None:
    """Return dollars per request, None where a part that counts is unknown or a model in use is dropped."""
    cost = cost_of(means, wishes)
    answer = _worth(wishes.answer_value_usd, means.answer)
    waiting = _worth(wishes.second_value_usd, means.latency_s)
    if cost is None or answer is None or waiting is None:
        return None
    return answer - cost - waiting


def cost_of(means: Means, wishes: Wishes) -> float | None:
    """Return dollars per request at the prices wished for, None where they are unknown or a model in use is dropped."""
    if any(model in wishes.dropped for model in means.models):
        return None
    total = 0.0
    for model, cost_usd in means.costs_usd.items():
        if cost_usd is None or (model == UNSPLIT and _touches(means.models, wishes)):
            return None
        total += wishes.price_factors.get(model, 1.0) * cost_usd
    return total


def best_models(known: Statistics, wishes: Wishes) -> dict[str, str | None]:
    """Return the model of the highest value in each category, None where no offered model's value is known."""
    best: dict[str, str | None] = {}
    for category in known.shares:
        values = {model: value_of(means, wishes) for model, means in known.cells.get(category, {}).items()}
        offered = {model: value for model, value in values.items() if value is not None}
        best[category] = max(offered, key=offered.__getitem__) if offered else None
    return best


def values(known: Statistics, wishes: Wishes) -> dict[str, float | None]:
    """Return dollars per request of every policy that stands, and of the best model of each category where it is known.

    Unknown is what a policy would be worth that would choose otherwise than it did. The best model of each category is
    chosen from the means it is valued by, so it is somewhat too good, and without guarantee.
    """
    found = {
        name: None if _moves(means, wishes, known.asked) else value_of(means, wishes)
        for name, means in known.policies.items()
    }
    return {**found, BEST: _best_value(known, wishes)} if known.cells else found


def _moves(means: Means, wishes: Wishes, asked: Wishes | None) -> bool:
    """Tell whether a policy would choose otherwise than it did."""
    offer = _touches((), wishes)
    if means.moved_by is Moved.ANYTHING:
        here = wishes.answer_value_usd, wishes.second_value_usd
        return offer or asked is None or here != (asked.answer_value_usd, asked.second_value_usd)
    return offer and means.moved_by is Moved.OFFER


def _best_value(known: Statistics, wishes: Wishes) -> float | None:
    total = 0.0
    for category, model in best_models(known, wishes).items():
        value = None if model is None else value_of(known.cells[category][model], wishes)
        if value is None:
            return None
        total += known.shares[category] * value
    return total if known.shares else None


def _touches(models: Collection[str], wishes: Wishes) -> bool:
    """Tell whether the offer of some models is changed; of models that nobody knows (none are given), of any."""
    changed = {*wishes.dropped, *(model for model, factor in wishes.price_factors.items() if factor != 1)}
    return bool(changed.intersection(models) if models else changed)


def _worth(usd: float, amount: float | None) -> float | None:
    """Return what an amount is worth; what is worth nothing need not be known."""
    if usd == 0:
        return 0.0
    return None if amount is None else usd * amount


def _category_shares(result: Result) -> dict[str, float]:
    rows = {category: count or 0.0 for category, count in result.categories.items()}
    if not rows:
        for cell in result.cells:
            rows[cell.category] = rows.get(cell.category, 0.0) + (cell.rows or 0.0)
    total = sum(rows.values())
    return {category: count / total for category, count in rows.items() if count > 0}


def point_means(point: Point, result: Result) -> Means:
    """Return the means of a point on the front, its cost split by model where it is known whose it is."""
    policy, model = result.policies.get(point.name), point.name.removeprefix(FIXED)
    shares = {model: 1.0} if model in result.models else policy.shares if policy is not None else point.shares
    costs = _costs_by_model(point.cost_usd, shares, _model_costs(result))
    return Means(point.answer, costs, point.latency_s, _used(shares), _moved_by(policy))


def _means(policy: Policy, model_costs: Mapping[str, float]) -> Means:
    components = policy.components
    costs = _costs_by_model(components.get("cost_usd"), policy.shares, model_costs)
    return Means(components.get("answer"), costs, components.get("latency_s"), _used(policy.shares), _moved_by(policy))


def _used(shares: Mapping[str, float | None]) -> tuple[str, ...]:
    """Return the models that get requests; none where a share is unknown."""
    return () if None in shares.values() else tuple(model for model, share in shares.items() if share)


def _moved_by(policy: Policy | None) -> Moved:
    return Moved.NOTHING if policy is None else policy.moved_by


def _costs_by_model(
    total: float | None, shares: Mapping[str, float | None], model_costs: Mapping[str, float]
) -> dict[str, float | None]:
    """Split a cost among models in proportion to share of the requests times the model's mean cost."""
    used = {model: share for model, share in shares.items() if share}
    if total is None:
        return dict.fromkeys(used or {UNSPLIT: 1.0})
    if len(used) == 1:
        return dict.fromkeys(used, total)
    weights = {model: share * model_costs[model] for model, share in used.items() if model in model_costs}
    whole = sum(weights.values())
    if len(weights) < len(used) or whole == 0:
        return {UNSPLIT: total}
    return {model: total * weight / whole for model, weight in weights.items()}


def _model_costs(result: Result) -> dict[str, float]:
    """Return the mean cost of a request with each model, from the cells or from policies that always take it."""
    sums: dict[str, tuple[float, float]] = {}
    for cell in result.cells:
        if cell.cost_usd is not None and cell.rows:
            rows, dollars = sums.get(cell.model, (0.0, 0.0))
            sums[cell.model] = rows + cell.rows, dollars + cell.rows * cell.cost_usd
    costs = {model: dollars / rows for model, (rows, dollars) in sums.items()}
    for model in result.models:
        always = result.policies.get(f"{FIXED}{model}")
        cost = always.components.get("cost_usd") if always is not None else None
        if model not in costs and cost is not None:
            costs[model] = cost
    return costs
