import numpy as np
import pytest

from simulations.demo.accounts import truth_of
from simulations.demo.curve import curve_of
from simulations.demo.options import DemoOptions
from simulations.demo.traffic import Tally, traffic_of
from simulations.world import World


def played(world: World, requests: int) -> tuple[Tally, DemoOptions]:
    """A run whose first half went to the best model of each category, and the second to the other one."""
    options = DemoOptions(requests=requests, answer_value_usd=1.0, second_value_usd=0.01)
    best = truth_of(world, options.objective).value_usd.argmax(axis=1)
    tally, categories = Tally(requests), traffic_of(world, options).categories
    for request in range(requests):
        model = int(best[categories[request]])
        tally.end(request, model if request < requests // 2 else 1 - model, request)
    return tally, options


def test_the_curve_scores_the_last_500_requests_at_each_point(world: World) -> None:
    tally, options = played(world, 3000)
    points = curve_of(tally, traffic_of(world, options), truth_of(world, options.objective))
    assert [point.requests for point in points] == [500, 1000, 1500, 2000, 2500, 3000]
    assert [point.score for point in points] == pytest.approx([100, 100, 100, -100, -100, -100])


@pytest.mark.parametrize(("requests", "ends"), [(60, [60]), (1200, [500, 1000, 1200])])
def test_the_curve_ends_with_the_run(world: World, requests: int, ends: list[int]) -> None:
    tally, options = played(world, requests)
    points = curve_of(tally, traffic_of(world, options), truth_of(world, options.objective))
    assert [point.requests for point in points] == ends


def test_a_long_run_has_ten_points(world: World) -> None:
    tally, options = played(world, 50_000)
    points = curve_of(tally, traffic_of(world, options), truth_of(world, options.objective))
    assert np.diff([point.requests for point in points]).tolist() == [5000] * 9
