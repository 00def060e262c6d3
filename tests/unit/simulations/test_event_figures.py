import numpy as np
import pytest

from simulations.event_figures import EventFigures, event_figures
from simulations.events import LatencyChange, ModelAdded, ModelEvent, PriceChange, QualityDrop

STEPS, START, END = 900, 300, 600
DROP = QualityDrop("m", START, END)
CUT = PriceChange("m", START, END)
ADDED = ModelAdded("m", START)


def chosen(*spans: tuple[int, int]) -> np.ndarray:
    """One seed in which the model serves these requests and no others; shape (T,)."""
    served = np.zeros(STEPS, np.bool_)
    for start, end in spans:
        served[start:end] = True
    return served


def figures(event: ModelEvent, *seeds: np.ndarray) -> dict[str, float | None]:
    return dict(event_figures(event, np.stack(seeds)).figures)


def test_shares_are_those_before_in_the_last_third_of_the_event_and_after_it() -> None:
    served = chosen((0, 150), (320, 400), (550, 575), (600, 900))
    assert figures(DROP, served) | {"halved_after": None} == {
        "share_before": 0.5,
        "share_during": 0.25,
        "share_after": 1.0,
        "halved_after": None,
    }


def test_shares_are_means_over_the_seeds() -> None:
    assert figures(DROP, chosen((0, 300)), chosen())["share_before"] == 0.5


@pytest.mark.parametrize("event", [DROP, LatencyChange("m", START, END)])
@pytest.mark.parametrize("late", [0, 20, 80, 200])
def test_a_model_left_at_once_is_halved_when_it_is_left(event: ModelEvent, late: int) -> None:
    assert figures(event, chosen((0, START + late), (END, STEPS)))["halved_after"] == late


def test_what_happens_after_the_event_does_not_halve_the_share() -> None:
    assert figures(DROP, chosen((0, END - 10)))["halved_after"] is None


def test_a_share_of_nothing_cannot_be_halved() -> None:
    assert figures(DROP, chosen())["halved_after"] is None


def test_times_are_medians_over_the_seeds_with_never_as_the_latest() -> None:
    soon, late, never = chosen((0, START + 20)), chosen((0, START + 90)), chosen((0, END))
    assert figures(DROP, never, soon, late)["halved_after"] == 90
    assert figures(DROP, never, soon, never)["halved_after"] is None


@pytest.mark.parametrize("late", [0, 50, 120])
def test_a_share_that_jumps_has_moved_by_four_fifths_when_the_window_has(late: int) -> None:
    """A window reaches 50 requests ahead, so 80 of its 100 lie behind the jump 30 requests after it."""
    assert figures(CUT, chosen((START + late, STEPS)))["moved_after"] == late + 30
    assert figures(CUT, chosen((0, START + late)))["moved_after"] == late + 30


def test_a_share_that_stays_has_not_moved() -> None:
    still = chosen(*((step, step + 1) for step in range(0, STEPS, 10)))
    assert figures(CUT, still)["moved_after"] is None


@pytest.mark.parametrize("late", [0, 50, 250])
def test_a_new_model_has_half_of_its_final_share_when_it_is_taken_up(late: int) -> None:
    taken = chosen((START + late, STEPS))
    assert figures(ADDED, taken) == {"half_of_final_share_after": late, "share_after": (600 - late) / 600}


def test_a_new_model_that_is_never_taken_up_has_no_final_share() -> None:
    assert figures(ADDED, chosen((START, 400))) == {"half_of_final_share_after": None, "share_after": 100 / 600}


def test_an_event_without_requests_after_it_has_no_share_after_it() -> None:
    assert figures(QualityDrop("m", START, STEPS), chosen((0, STEPS)))["share_after"] is None


def test_figures_say_what_happened_to_whom_and_when() -> None:
    told = event_figures(ADDED, np.stack([chosen()]))
    assert (told.kind, told.model, told.start, told.end) == ("model-added", "m", START, STEPS)
    assert isinstance(told, EventFigures)
