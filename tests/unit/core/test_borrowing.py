"""What prior means of quality owe to other cells: credit, and what rare judgements borrow."""

import numpy as np
import pytest

from bandit.borrowing import Judgements, borrowed, credited

PRIOR = np.full((3, 2), 0.85)
COUNT = np.array([[20.0, 20.0], [20.0, 20.0], [0.0, 0.0]])
TOTAL = np.array([[18.0, 4.0], [19.0, 5.0], [0.0, 0.0]])
"""Two categories in which the second model is bad, and one in which nobody judged anything."""
PERFECT = np.where(COUNT > 0, [[200.0, 4.0]], 0.0)


def lent(count, total, answers, prior=PRIOR):
    """What rare judgements make of the priors where each cell has `answers`, judged or not."""
    return borrowed(prior, Judgements(count, total, np.broadcast_to(answers, (3, 2))))


def with_credit(count, total, prior=PRIOR, default=0.85):
    return credited(prior, default, Judgements(count, total, count))


def test_a_bad_model_has_no_credit_and_no_debt():
    assert with_credit(COUNT, TOTAL)[:, 1].tolist() == [0.85, 0.85, 0.85]


def test_a_model_that_is_good_in_the_other_categories_has_credit_and_no_more_than_they_say():
    assert with_credit(COUNT * 10, PERFECT)[2, 0] == pytest.approx(0.95)
    modest = np.where(COUNT > 0, [[180.0, 4.0]], 0.0)
    assert with_credit(COUNT * 10, modest)[2, 0] == pytest.approx((360.0 + 7.0) / 410.0)


def test_a_models_own_answers_give_it_no_credit():
    count, total = np.zeros((3, 2)), np.zeros((3, 2))
    count[0, 0] = total[0, 0] = 500.0
    means = with_credit(count, total)
    assert means[0, 0] == 0.85
    assert means[1, 0] == pytest.approx(0.95)


def test_what_is_known_to_be_worse_or_better_stays_so_but_for_what_others_show():
    nothing = np.zeros((3, 2))
    assert with_credit(nothing, nothing, prior=np.full((3, 2), 0.3)).tolist() == [[0.3, 0.3]] * 3
    assert with_credit(COUNT, COUNT, prior=np.full((3, 2), 0.98)).tolist() == [[0.98, 0.98]] * 3
    raised = with_credit(COUNT * 10, PERFECT, prior=np.full((3, 2), 0.3))
    assert raised[2] == pytest.approx([0.3 + 407.0 / 410.0 - 0.85, 0.3])


def test_where_every_answer_is_judged_nothing_is_borrowed():
    assert lent(COUNT, TOTAL, COUNT) is PRIOR


def test_a_category_that_is_judged_takes_nothing_from_those_that_are_not_and_leaves_them_what_they_borrow():
    answers = np.array([[400.0, 400.0], [20.0, 20.0], [400.0, 400.0]])
    means = lent(COUNT, TOTAL, answers)
    assert means[1] == pytest.approx(PRIOR[1], abs=0.001)
    assert means[2, 1] < means[2, 0] - 0.2


def test_where_few_are_judged_a_model_that_is_bad_elsewhere_is_expected_to_be_bad():
    good, bad = lent(COUNT, TOTAL, 4000.0 / 6)[2]
    assert good == pytest.approx(0.85, abs=0.1)
    assert bad < good - 0.2


def test_the_more_is_judged_the_less_is_borrowed():
    taken = [0.85 - lent(COUNT, TOTAL, answers)[1, 1] for answers in (1300.0, 130.0, 33.0, 20.0)]
    assert taken == sorted(taken, reverse=True)
    assert taken[-1] < 0.01


def test_without_any_judgement_the_prior_stands():
    nothing = np.zeros((3, 2))
    assert lent(nothing, nothing, 800.0) == pytest.approx(PRIOR)
    assert lent(nothing, nothing, nothing) is PRIOR


def test_a_difference_between_categories_is_nobodys_merit():
    hard = np.array([[18.0, 18.0], [8.0, 8.0], [0.0, 0.0]])
    means = lent(COUNT, hard, 8000.0 / 6)
    assert means[1, 0] < means[0, 0] - 0.1
    assert means[2, 0] == pytest.approx(means[2, 1])


def test_what_is_borrowed_stays_between_the_bounds_whatever_was_seen():
    for total in (np.zeros((3, 2)), COUNT):
        means = lent(COUNT * 1e6, total * 1e6, 1e12, prior=np.full((3, 2), 0.99))
        assert np.all((means >= 0.05) & (means <= 0.99))
