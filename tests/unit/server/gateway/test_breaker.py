"""When a model is taken out, and how it comes back."""

from hypothesis import given
from hypothesis import strategies as st

from server.gateway.breaker import CONSECUTIVE, FORGOTTEN_S, MIN_CALLS, PROBE_EVERY_S, WINDOW_S, Breaker, State


def opened(at_s: float = 100.0) -> Breaker:
    breaker = Breaker()
    for _ in range(CONSECUTIVE):
        breaker.failed("acme", at_s, at_s, PROBE_EVERY_S)
    return breaker


def test_five_failures_in_a_row_open_it_and_four_do_not():
    breaker = Breaker()
    assert [breaker.failed("acme", 1.0, 1.0, PROBE_EVERY_S) for _ in range(CONSECUTIVE)] == [False] * 4 + [True]
    assert breaker.state(1.0) is State.OPEN


def test_a_success_in_between_starts_the_row_anew():
    breaker = Breaker()
    for _ in range(CONSECUTIVE - 1):
        breaker.failed("acme", 1.0, 1.0, PROBE_EVERY_S)
    breaker.succeeded("acme", 1.0, 1.0)
    assert not breaker.failed("acme", 1.0, 1.0, PROBE_EVERY_S)
    assert breaker.state(1.0) is State.CLOSED


def alternating(calls: int, seconds: float) -> Breaker:
    """Half of the calls fail, none in a row, spread over some seconds."""
    breaker = Breaker()
    for call in range(calls):
        now_s = 50.0 + call * seconds / calls
        if call % 2:
            breaker.failed("acme", now_s, now_s, PROBE_EVERY_S)
        else:
            breaker.succeeded("acme", now_s, now_s)
    return breaker


def test_half_of_twenty_calls_within_ten_seconds_open_it():
    assert alternating(MIN_CALLS, WINDOW_S / 2).state(60.0) is State.OPEN


def test_fewer_than_twenty_calls_do_not_open_it_by_their_share():
    assert alternating(MIN_CALLS - 2, WINDOW_S / 2).state(60.0) is State.CLOSED


def test_calls_longer_ago_than_the_window_do_not_count():
    assert alternating(MIN_CALLS, WINDOW_S * 2).state(90.0) is State.CLOSED


def test_there_is_one_probe_at_a_time_and_none_before_it_is_time():
    breaker = opened(100.0)
    assert not breaker.begin_probe(100.0 + PROBE_EVERY_S - 0.1)
    assert breaker.begin_probe(100.0 + PROBE_EVERY_S)
    assert breaker.state(105.0) is State.HALF_OPEN
    assert not breaker.begin_probe(200.0)


def test_a_probe_that_is_served_closes_it_and_one_that_is_not_waits_for_the_next():
    breaker = opened(100.0)
    assert breaker.begin_probe(105.0)
    breaker.end_probe(False, "acme", 106.0, PROBE_EVERY_S)
    assert breaker.state(106.0) is State.OPEN
    assert not breaker.begin_probe(105.0 + PROBE_EVERY_S - 0.1)
    assert breaker.begin_probe(105.0 + PROBE_EVERY_S)
    breaker.end_probe(True, "acme", 111.0, PROBE_EVERY_S)
    assert breaker.state(111.0) is State.CLOSED


def test_an_answer_to_a_call_from_before_it_opened_does_not_close_it():
    breaker = opened(100.0)
    breaker.succeeded("acme", 99.0, 101.0)
    assert breaker.state(101.0) is State.OPEN
    breaker.succeeded("acme", 100.5, 101.0)
    assert breaker.state(101.0) is State.CLOSED


def test_a_model_that_asks_to_be_left_alone_is_back_when_its_time_is_over():
    breaker = Breaker()
    breaker.hold(10.0, 3.0)
    assert (breaker.state(12.9), breaker.state(13.0)) == (State.OPEN, State.CLOSED)
    assert breaker.held_s(11.0) == 2.0
    breaker.hold(11.0, 0.5)
    assert breaker.held_s(11.0) == 2.0


def test_no_probe_is_sent_while_the_provider_wants_to_be_left_alone():
    breaker = opened(100.0)
    breaker.hold(100.0, 60.0)
    assert not breaker.begin_probe(159.0)
    assert breaker.begin_probe(160.0)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 3.0)), max_size=200))
def test_it_is_never_open_without_five_failures_in_a_row_or_half_of_twenty(calls):
    breaker, now_s, row, recent = Breaker(), 0.0, 0, []
    for fails, pause_s in calls:
        now_s += pause_s
        row = row + 1 if fails else 0
        recent.append((now_s, fails))
        if fails:
            opened_now = breaker.failed("acme", now_s, now_s, PROBE_EVERY_S)
            window = [failed for at_s, failed in recent if at_s > now_s - WINDOW_S - 1.0]
            assert not opened_now or row >= CONSECUTIVE or len(window) >= MIN_CALLS
            if opened_now:
                return
        else:
            breaker.succeeded("acme", now_s, now_s)


def test_failures_of_calls_from_before_it_closed_do_not_open_it_again():
    breaker = opened(100.0)
    assert breaker.begin_probe(105.0)
    breaker.end_probe(True, "acme", 106.0, PROBE_EVERY_S)
    assert not any(breaker.failed("acme", 101.0, 130.0, PROBE_EVERY_S) for _ in range(CONSECUTIVE))
    assert breaker.state(130.0) is State.CLOSED


def test_what_fails_for_one_caller_alone_is_not_taken_from_the_others():
    breaker = Breaker()
    for call in range(10):
        breaker.succeeded("globex", 99.0, 99.0 + call / 20)
    assert not any(breaker.failed("acme", 100.0, 100.0, PROBE_EVERY_S) for _ in range(30))
    assert not breaker.failed("globex", 100.0, 100.5, PROBE_EVERY_S), "one of another is chance"
    assert breaker.failed("globex", 100.0, 100.5, PROBE_EVERY_S)


def test_after_a_probe_of_another_caller_one_alone_does_not_open_it_again():
    breaker = opened(100.0)
    assert breaker.begin_probe(105.0)
    assert breaker.end_probe(True, "globex", 106.0, PROBE_EVERY_S)
    assert not any(breaker.failed("acme", 107.0, 107.0, PROBE_EVERY_S) for _ in range(30))


def test_a_probe_of_another_outage_neither_closes_it_nor_delays_the_next():
    breaker = opened(100.0)
    assert breaker.begin_probe(105.0)
    assert breaker.succeeded("acme", 105.5, 106.0)
    assert [breaker.failed("acme", 106.5, 107.0, PROBE_EVERY_S) for _ in range(CONSECUTIVE)][-1]
    assert not breaker.end_probe(True, "acme", 108.0, PROBE_EVERY_S)
    assert breaker.state(108.0) is State.OPEN
    assert breaker.begin_probe(107.0 + PROBE_EVERY_S)


def test_a_caller_without_company_opens_it():
    breaker = Breaker()
    breaker.succeeded("globex", 80.0, 80.0)
    assert [breaker.failed("acme", 100.0, 100.0, PROBE_EVERY_S) for _ in range(CONSECUTIVE)][-1]


def test_where_nobody_comes_to_probe_calls_decide_again():
    breaker = opened(100.0)
    assert not breaker.forget(1000.0), "whoever asks first may be the probe"
    assert not breaker.forget(1000.0 + FORGOTTEN_S - 0.1)
    assert breaker.forget(1000.0 + FORGOTTEN_S)
    assert breaker.state(1100.0) is State.CLOSED
    assert not breaker.forget(1100.0)
