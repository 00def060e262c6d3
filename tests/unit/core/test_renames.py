"""A renamed model knows what it was taught under its former ids."""

from dataclasses import replace

from bandit.renames import renamed
from bandit.sums import with_axes


def rows_of(sums, model):
    return {key.signal: moments for key, moments in sums.rows().items() if key.model == model}


def test_a_model_has_what_its_former_id_was_taught_added_to_its_own(learned, a_model):
    sums = learned(None, "chat", "old", "thumb", [1, 0])
    sums = with_axes(learned(sums, "chat", "new", "thumb", [1]), (), ("new",))
    seen = renamed(sums, [replace(a_model, id="new", alias_of="old")])
    assert rows_of(seen, "new")["quality"].n == 3
    assert rows_of(seen, "old") == {}
    assert rows_of(sums, "old")["quality"].n == 2


def test_a_former_id_that_is_still_a_model_keeps_what_it_was_taught(learned, a_model):
    sums = with_axes(learned(None, "chat", "old", "thumb", [1, 0]), (), ("new",))
    seen = renamed(sums, [replace(a_model, id="new", alias_of="old"), replace(a_model, id="old")])
    assert rows_of(seen, "new") == rows_of(seen, "old") == rows_of(sums, "old")


def test_ids_before_the_former_one_count_too_and_a_circle_ends(learned, a_model):
    sums = with_axes(learned(None, "chat", "first", "thumb", [1]), (), ("second", "third"))
    models = [
        replace(a_model, id="third", alias_of="second"),
        replace(a_model, id="second", alias_of="first", enabled=False),
    ]
    assert rows_of(renamed(sums, models), "third")["quality"].n == 1
    circle = [replace(a_model, id="second", alias_of="third"), replace(a_model, id="third", alias_of="second")]
    assert renamed(sums, circle).rows() == sums.rows()


def test_what_nobody_is_called_any_more_is_moved_once(learned, a_model):
    sums = with_axes(learned(None, "chat", "old", "thumb", [1, 0]), (), ("new", "newer"))
    seen = renamed(sums, [replace(a_model, id="new", alias_of="old"), replace(a_model, id="newer", alias_of="old")])
    assert rows_of(seen, "new")["quality"].n == 2
    assert rows_of(seen, "newer") == rows_of(seen, "old") == {}


def test_without_renames_the_sums_are_the_same(learned, a_model):
    sums = learned(None, "chat", "small", "thumb", [1])
    assert renamed(sums, [a_model]) is sums
