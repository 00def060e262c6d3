"""What cells take from one another while judgements are rare."""

import numpy as np
import pytest

from bandit.borrowing import borrowed_means

PRIOR = np.full((3, 2), 0.85)
COUNT = np.array([[20.0, 20.0], [20.0, 20.0], [0.0, 0.0]])
TOTAL = np.array([[18.0, 4.0], [19.0, 5.0], [0.0, 0.0]])
"""Two categories in which the second model is bad, and one in which nobody judged anything."""


def test_where_every_answer_is_judged_nothing_is_borrowed():
    assert borrowed_means(PRIOR, COUNT, TOTAL, answers=80.0).tolist() == PRIOR.tolist()


def test_where_few_are_judged_a_model_that_is_bad_elsewhere_is_expected_to_be_bad():
    good, bad = borrowed_means(PRIOR, COUNT, TOTAL, answers=4000.0)[2]
    assert good == pytest.approx(0.85, abs=0.1)
    assert bad < good - 0.2


def test_the_more_is_judged_the_less_is_borrowed():
    taken = [0.85 - borrowed_means(PRIOR, COUNT, TOTAL, answers)[2, 1] for answers in (8000.0, 800.0, 200.0, 100.0)]
    assert taken == sorted(taken, reverse=True)
    assert taken[-1] < 0.01


def test_without_any_judgement_the_prior_stands():
    nothing = np.zeros((3, 2))
    assert borrowed_means(PRIOR, nothing, nothing, answers=5000.0) == pytest.approx(PRIOR)


def test_a_difference_between_categories_is_nobodys_merit():
    hard = np.array([[18.0, 18.0], [8.0, 8.0], [0.0, 0.0]])
    means = borrowed_means(PRIOR, COUNT, hard, answers=8000.0)
    assert means[1, 0] < means[0, 0] - 0.1
    assert means[2, 0] == pytest.approx(means[2, 1])


def test_what_is_borrowed_stays_between_the_bounds_whatever_was_seen():
    for total in (np.zeros((3, 2)), COUNT):
        means = borrowed_means(np.full((3, 2), 0.99), COUNT * 1e6, total * 1e6, answers=1e12)
        assert np.all((means >= 0.05) & (means <= 0.99))
