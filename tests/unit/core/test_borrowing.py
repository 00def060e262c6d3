"""What cells take from one another: credit, what rare judgements borrow, and what waiting answers count."""

import numpy as np
import pytest

from bandit.borrowing import Judged, borrowed_means

PRIOR = np.full((3, 2), 0.85)
WEIGHT = np.full((3, 2), 2.0)
COUNT = np.array([[20.0, 20.0], [20.0, 20.0], [0.0, 0.0]])
TOTAL = np.array([[18.0, 4.0], [19.0, 5.0], [0.0, 0.0]])
"""Two categories in which the second model is bad, and one in which nobody judged anything."""


def means_of(count, total, answers, prior=PRIOR):
    """Prior means where each cell has `answers`, judged or not."""
    return borrowed_means(prior, WEIGHT, Judged(count, total, np.broadcast_to(answers, (3, 2))))


def test_where_every_answer_is_judged_a_bad_model_lends_nothing():
    assert means_of(COUNT, TOTAL, COUNT)[:, 1].tolist() == [0.85, 0.85, 0.85]


def test_a_model_that_is_good_in_the_other_categories_has_credit_and_no_more_than_they_say():
    perfect = np.where(COUNT > 0, [[200.0, 4.0]], 0.0)
    means = means_of(COUNT * 10, perfect, COUNT * 10)
    assert means[2, 0] == 0.95
    assert means[0, 1] == 0.85
    modest = np.where(COUNT > 0, [[180.0, 4.0]], 0.0)
    assert means_of(COUNT * 10, modest, COUNT * 10)[2, 0] == pytest.approx((360.0 + 7.0) / 410.0)


def test_a_models_own_answers_give_it_no_credit():
    count, total = np.zeros((3, 2)), np.zeros((3, 2))
    count[0, 0] = total[0, 0] = 500.0
    means = means_of(count, total, count)
    assert means[0, 0] == 0.85
    assert means[1, 0] == 0.95


def test_what_is_known_to_be_better_than_the_most_credit_stays_so():
    assert means_of(COUNT, COUNT, COUNT, prior=np.full((3, 2), 0.98)).tolist() == [[0.98, 0.98]] * 3


def test_where_few_are_judged_a_model_that_is_bad_elsewhere_is_expected_to_be_bad():
    good, bad = means_of(COUNT, TOTAL, 4000.0 / 6)[2]
    assert good == pytest.approx(0.85, abs=0.1)
    assert bad < good - 0.2


def test_the_more_is_judged_the_less_is_borrowed():
    taken = [0.85 - means_of(COUNT, TOTAL, answers)[2, 1] for answers in (8000.0 / 6, 800.0 / 6, 200.0 / 6, 100.0 / 6)]
    assert taken == sorted(taken, reverse=True)
    assert taken[-1] < 0.01


def test_a_difference_between_categories_is_nobodys_merit():
    hard = np.array([[18.0, 18.0], [8.0, 8.0], [0.0, 0.0]])
    means = means_of(COUNT, hard, 8000.0 / 6)
    assert means[1, 0] < means[0, 0] - 0.1
    assert means[2, 0] == pytest.approx(means[2, 1])


def test_what_is_borrowed_stays_between_the_bounds_whatever_was_seen():
    for total in (np.zeros((3, 2)), COUNT):
        means = means_of(COUNT * 1e6, total * 1e6, 1e12, prior=np.full((3, 2), 0.99))
        assert np.all((means >= 0.05) & (means <= 0.99))


def test_without_any_answer_the_prior_stands():
    nothing = np.zeros((3, 2))
    assert means_of(nothing, nothing, nothing).tolist() == PRIOR.tolist()


def test_while_nobody_judged_anything_the_models_that_were_called_are_expected_to_be_worse():
    nothing, answers = np.zeros((3, 2)), np.array([[500.0, 3.0], [0.0, 0.0], [0.0, 0.0]])
    means = means_of(nothing, nothing, answers)
    assert means[0, 0] < means[0, 1] < means[1, 1] == PRIOR[1, 1]
    assert means[0, 0] == pytest.approx((2.0 * 0.85 + 6.0 * 0.5) / 8.0, abs=0.02)


def test_a_few_answers_do_not_make_judgements_late_and_a_few_judgements_end_the_waiting():
    nothing = np.zeros((3, 2))
    assert means_of(nothing, nothing, 2.0) == pytest.approx(PRIOR, abs=0.01)
    assert means_of(np.full((3, 2), 4.0), np.full((3, 2), 3.4), 4.0) == pytest.approx(PRIOR, abs=0.01)


def test_a_strong_prior_waits_longer():
    nothing, answers = np.zeros((3, 2)), np.full((3, 2), 500.0)
    weak, strong = (
        borrowed_means(PRIOR, np.full((3, 2), weight), Judged(nothing, nothing, answers)) for weight in (2, 20)
    )
    assert np.all(weak < strong)
    assert np.all(strong < PRIOR)
