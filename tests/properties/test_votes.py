"""One vote per (decision, signal): the order of arrival does not matter."""

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from bandit.evidence import Event
from bandit.records import SignalRecord
from bandit.signals import SCALE, DecisionFacts, Kind, Score, Thumb
from bandit.sums import Sums, record
from bandit.votes import SignalStatus, resolve

DECISION = DecisionFacts("chat", "large", Kind.SAMPLED, 1_000_000, 10)
VOTE = SignalRecord("acme", b"n" * 12, "score:judge", Score("judge", 0), 0, 0, DECISION, 0.5)

votes = st.builds(
    lambda fact, observed_us: VOTE._replace(fact=fact, observed_us=observed_us),
    st.none() | st.builds(Score, st.just("judge"), st.integers(0, SCALE)),
    st.integers(0, 3),
)


def counted(records: list[SignalRecord]) -> tuple[SignalRecord | None, list[Event]]:
    def step(
        state: tuple[SignalRecord | None, list[Event]], incoming: SignalRecord
    ) -> tuple[SignalRecord | None, list[Event]]:
        resolution = resolve(state[0], incoming)
        return resolution.kept, [*state[1], *resolution.events]

    start: tuple[SignalRecord | None, list[Event]] = (None, [])
    return reduce(step, records, start)


@given(st.lists(votes, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_any_order_with_repeats_keeps_the_same_vote_and_the_same_sums(records, random):
    kept, events = counted(records)
    shuffled = records * 2
    random.shuffle(shuffled)
    kept_again, events_again = counted(shuffled)
    assert kept == kept_again
    assert record(Sums.empty(10**7), events).rows() == record(Sums.empty(10**7), events_again).rows()


def test_a_repeated_vote_is_a_duplicate():
    assert resolve(VOTE, VOTE).status is SignalStatus.DUPLICATE
    assert resolve(VOTE, VOTE).events == ()


def test_an_older_vote_is_superseded():
    assert resolve(VOTE._replace(observed_us=1), VOTE).status is SignalStatus.SUPERSEDED


def test_a_later_vote_replaces_the_earlier_one_exactly():
    better = VOTE._replace(fact=Score("judge", SCALE), observed_us=1)
    resolution = resolve(VOTE, better)
    assert resolution.status is SignalStatus.AMENDED
    assert [event.n for event in resolution.events] == [-1, 1]


def test_a_retraction_takes_the_vote_back_and_wins_over_a_vote_of_the_same_time():
    taken_back = VOTE._replace(fact=None)
    assert resolve(VOTE, taken_back).status is SignalStatus.RETRACTED
    assert resolve(taken_back, VOTE).status is SignalStatus.SUPERSEDED
    assert [event.n for event in resolve(VOTE, taken_back).events] == [-1]


def test_what_was_taken_back_can_be_said_anew():
    resolution = resolve(VOTE._replace(fact=None), VOTE._replace(observed_us=1))
    assert resolution.status is SignalStatus.APPLIED
    assert [event.n for event in resolution.events] == [1]


def test_a_vote_on_a_forced_decision_is_kept_but_teaches_no_quality():
    forced = VOTE._replace(signal="thumb", fact=Thumb(up=True), decision=DECISION._replace(kind=Kind.FORCED))
    resolution = resolve(None, forced)
    assert resolution.status is SignalStatus.APPLIED
    assert resolution.events == ()
