"""Incidents: what a model's categories tell together about its latency, quality and errors."""

import math
from itertools import product

import pytest

from bandit.evidence import Signal
from bandit.posterior import Posterior, infer
from bandit.priors import InferenceSettings
from bandit.sums import Moments, RowKey, Sums, add_rows

BUCKET_S = 10
SETTINGS = InferenceSettings()
Rows = dict[RowKey, Moments]
CATEGORIES = ("chat", "code", "search")
MODELS = ("slow", "steady")
USUAL_S, CALLS = 1.0, 4
CALM, INCIDENT = 60, 66
"""Buckets from which on nothing is recorded where there is no incident, and where there is one."""


def moments(n: int, mean: float, spread: float = 0.0) -> Moments:
    return Moments(n, round(n * mean * 2**20), round(n * (mean**2 + spread) * 2**20))


def calls(buckets: range, values: dict[str, float], signal: Signal = "latency", source: str = "") -> Rows:
    """Rows of a few calls in every bucket and category; values are means of the signal by model."""
    spread = 0.1 if signal == "latency" else 0.0
    rows: Rows = {}
    for bucket, category, (model, value) in product(buckets, CATEGORIES, values.items()):
        rows[RowKey(category, model, signal, source, bucket)] = moments(CALLS, value, spread)
        rows.setdefault(RowKey(category, model, "error", "", bucket), moments(CALLS, 0.0))
    return rows


def seen(rows: Rows, bucket: int) -> Posterior:
    return infer(add_rows(Sums.empty(BUCKET_S * 10**6), rows), bucket * BUCKET_S * 10**6, SETTINGS)


def latency_s(posterior: Posterior, model: str, category: str = "chat") -> float:
    place = posterior.categories.index(category), posterior.models.index(model)
    return math.exp(float(posterior.latency.mean[place]))


NORMAL = calls(range(CALM), dict.fromkeys(MODELS, math.log(USUAL_S)))
TEN_TIMES = {"slow": math.log(10 * USUAL_S), "steady": math.log(USUAL_S)}


def test_a_model_that_is_slow_in_two_buckets_is_believed_to_be_slow_and_its_neighbour_is_not():
    posterior = seen(NORMAL | calls(range(CALM, CALM + 2), TEN_TIMES), CALM + 2)
    assert latency_s(posterior, "slow") > 5.0
    assert latency_s(posterior, "steady") == pytest.approx(1.0, abs=0.05)
    assert posterior.latency.shift[0, posterior.models.index("slow")] > 0.98
    assert posterior.latency.shift[0, posterior.models.index("steady")] < 0.01


def test_what_two_categories_tell_holds_for_a_third_that_was_not_asked_meanwhile():
    incident = {key: one for key, one in calls(range(CALM, CALM + 2), TEN_TIMES).items() if key.category != "search"}
    assert latency_s(seen(NORMAL | incident, CALM + 2), "slow", "search") > 5.0


def test_back_to_normal_is_the_latency_from_before_and_not_the_mean_of_both():
    over = calls(range(INCIDENT, INCIDENT + 2), dict.fromkeys(MODELS, math.log(USUAL_S)))
    posterior = seen(NORMAL | calls(range(CALM, INCIDENT), TEN_TIMES) | over, INCIDENT + 2)
    assert latency_s(posterior, "slow") == pytest.approx(1.0, abs=0.1)


def test_a_model_that_is_left_alone_is_believed_to_recover_in_time():
    rows = NORMAL | calls(range(CALM, CALM + 2), TEN_TIMES)
    shift = [float(seen(rows, CALM + later).latency.shift[0, 0]) for later in (2, 40, 400)]
    assert shift[0] > shift[1] > shift[2]
    assert shift[2] < 0.3


def test_quality_that_drops_everywhere_is_noticed_and_what_was_usual_is_remembered():
    votes = calls(range(CALM), dict.fromkeys(MODELS, 1.0), "quality", "thumb")
    drop = calls(range(CALM, CALM + 3), {"slow": 0.25, "steady": 1.0}, "quality", "thumb")
    during = seen(votes | drop, CALM + 3)
    after = seen(votes | drop | calls(range(CALM + 3, CALM + 6), dict.fromkeys(MODELS, 1.0), "quality", "thumb"), 66)
    assert during.quality.mean[0].tolist() == pytest.approx([0.4, 0.99], abs=0.15)
    assert after.quality.mean[0, 0] > 0.9


def test_one_error_of_twelve_calls_is_no_outage_and_ten_are():
    row = RowKey("chat", "slow", "error", "", CALM)
    quiet = {row._replace(category=category): moments(4, 0.0) for category in CATEGORIES}
    one, ten = (
        seen(NORMAL | quiet | {row: moments(4, share), row._replace(category="code"): moments(4, other)}, CALM + 1)
        for share, other in ((0.25, 0.0), (1.0, 1.0))
    )
    assert one.error.shift[0, 0] < 0.2
    assert ten.error.shift[0, 0] > 0.95
    assert ten.error.mean[2, 0] > 0.3, "in a category that was asked without an error, too"


def test_observations_count_whatever_the_level():
    posterior = seen(NORMAL | calls(range(CALM, CALM + 2), TEN_TIMES), CALM + 2)
    assert posterior.latency.weight[0].tolist() == [CALLS * (CALM + 2)] * 2


def test_at_a_request_a_minute_an_incident_takes_no_more_requests_to_be_seen():
    def spaced(rows: Rows) -> Rows:
        return {key._replace(bucket=key.bucket * 150): one for key, one in rows.items()}

    rows = spaced(NORMAL | calls(range(CALM, CALM + 2), TEN_TIMES))
    assert latency_s(seen(rows, (CALM + 1) * 150 + 1), "slow") > 5.0


def test_the_order_of_arrival_changes_no_bit():
    rows = NORMAL | calls(range(CALM, CALM + 2), TEN_TIMES)
    one, other = seen(rows, CALM + 2), seen(dict(reversed(rows.items())), CALM + 2)
    assert one.latency.mean.tobytes() == other.latency.mean.tobytes()
    assert one.quality.variance.tobytes() == other.quality.variance.tobytes()


@pytest.mark.parametrize("minutes", [5, 15, 30])
def test_an_incident_that_goes_on_under_full_traffic_stays_one(minutes: int):
    usual = {RowKey("chat", "slow", "latency", "", b): moments(100, 0.0, 0.1) for b in range(360)}
    slow = {RowKey("chat", "slow", "latency", "", 360 + b): moments(100, math.log(10), 0.1) for b in range(6 * minutes)}
    belief = seen(usual | slow, 360 + 6 * minutes).latency
    assert belief.shift[0, 0] > 0.9
    assert belief.mean[0, 0] == pytest.approx(math.log(10), abs=0.2)


def test_quality_that_fell_for_half_an_hour_is_believed_as_low_as_it_is():
    good = {RowKey("chat", "slow", "quality", "thumb", b): moments(100, 0.9, 0.09) for b in range(360)}
    bad = {RowKey("chat", "slow", "quality", "thumb", 360 + b): moments(100, 0.3, 0.21) for b in range(180)}
    belief = seen(good | bad, 540).quality
    assert belief.mean[0, 0] == pytest.approx(0.3, abs=0.05)


def test_since_when_there_was_nothing_changes_no_bit():
    rows = NORMAL | calls(range(CALM, CALM + 2), TEN_TIMES)
    later = {key._replace(bucket=key.bucket + 9000): one for key, one in rows.items()}
    made_long_ago = add_rows(Sums.empty(BUCKET_S * 10**6, 0), later)
    first = min(key.bucket for key in later)
    made_today = add_rows(Sums.empty(BUCKET_S * 10**6, first * BUCKET_S * 10**6), later)
    now_us = (9000 + CALM + 2) * BUCKET_S * 10**6
    one, other = (infer(sums, now_us, SETTINGS) for sums in (made_long_ago, made_today))
    for signal in ("quality", "error", "latency"):
        assert getattr(one, signal).mean.tobytes() == getattr(other, signal).mean.tobytes()
        assert getattr(one, signal).shift.tobytes() == getattr(other, signal).shift.tobytes()


def test_a_model_that_is_left_alone_is_tried_again_also_where_only_judgements_are_reported():
    def quality(values: dict[str, float], buckets: range) -> Rows:
        return {key: one for key, one in calls(buckets, values, "quality", "thumb").items() if key.signal == "quality"}

    dropped = quality({"slow": 0.9, "steady": 0.9}, range(CALM)) | quality({"slow": 0.1}, range(CALM, CALM + 6))
    alone = dropped | quality({"steady": 0.9}, range(CALM + 6, CALM + 200))
    at_first, later = (seen(rows, bucket) for rows, bucket in ((dropped, CALM + 6), (alone, CALM + 200)))
    assert at_first.quality.shift[0, at_first.models.index("slow")] > 0.95
    assert later.quality.shift[0, later.models.index("slow")] < 0.2
