"""Settings of which each is allowed, but not all together: refused with the line that should give way."""

from pathlib import Path

import pytest

from server.config import ConfigError, load

PRICES = "input_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n"
MODELS = "".join(f'[[models]]\nid = "{name}"\n{PRICES}' for name in ("large", "small"))


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ('[[models]]\nid = "new"\nalias_of = "new"\n' + PRICES, 11, '"new" would be its own former id', "remove it"),
        (
            f'[[models]]\nid = "a"\nalias_of = "old"\n{PRICES}[[models]]\nid = "b"\nalias_of = "old"\n{PRICES}',
            16,
            '"old" is the former id of two models',
            'leave it to "a"',
        ),
        (
            '[categories.chat]\nbaseline = "large"\n',
            10,
            "a baseline is given, but neither observe_share nor guard, so it would do nothing",
            "guard = 0.1",
        ),
        (
            '[categories.chat]\nbaseline = "large"\nobserve_share = 1\nguard = 0\n',
            10,
            "a baseline is given, but neither observe_share nor guard, so it would do nothing",
            "observe_share = 0.1",
        ),
        (
            '[learning.caps]\nlarge = 0.5\n[categories.a]\nguard = 0.1\nbaseline = "large"\n',
            13,
            'the baseline "large" has a cap in [learning.caps]',
            "remove the cap",
        ),
        (
            "[learning]\nfloor = 0.05\n[learning.caps]\nlarge = 0.04\n",
            12,
            "large may have 0.04 at most, but the floor gives every model 0.05 at least",
            "raise it, or lower floor",
        ),
        (
            "[learning]\nfloor = 0.05\ncanary_share = 0.01\n",
            11,
            "canary_share may have 0.01 at most, but the floor gives every model 0.05 at least",
            "raise it, or lower floor",
        ),
        (
            "[learning]\ncanary_share = 0.0001\n",
            10,
            "canary_share may have 0.0001 at most, but the floor gives every model 0.0005 at least",
            "raise it, or lower floor",
        ),
        (
            '[categories.chat]\nbaseline = "large"\nobserve_share = 0\nguard = 0.1\n',
            12,
            "guard is given, but observe_share = 0 leaves every request to the baseline",
            "raise observe_share",
        ),
        (
            "[learning]\nprior_from_weight = 8\nknowledge_cap = 4\n",
            10,
            "prior_from_weight is 8, but no prior is worth more than knowledge_cap, which is 4",
            "raise knowledge_cap",
        ),
        (
            "[learning.caps]\nlarge = 0.3\nsmall = 0.5\n",
            9,
            "the caps of all models that are enabled add up to 0.8, so not all of them can hold",
            "leave a model without one",
        ),
        (
            "list_output_tokens = 300\nmax_output_tokens = 200\n",
            9,
            "list_output_tokens is more than max_output_tokens",
            "a typical answer is no longer",
        ),
        (
            "".join(MODELS.replace("large", f"l{n}").replace("small", f"s{n}") for n in range(9))
            + "[learning]\nfloor = 0.1\n",
            82,
            "floor is 0.1 for each of 20 models, which is more than 1 together",
            "lower it to 0.05 or less",
        ),
        (
            "[learning]\ncanary_observations = 50\n",
            10,
            "canary_observations is given without a canary_share, so there are no canaries",
            "canary_share = 0.01",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    tmp_path: Path, text: str, line: int, message: str, hint: str
) -> None:
    (tmp_path / "routeward.toml").write_text(MODELS + text)
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "routeward.toml", {})
    [problem] = refused.value.problems
    assert (problem.line, problem.message) == (line, message)
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[learning]\nfloor = 5\n[learning.caps]\nlarge = 0.3\n", 10),
        ("[learning]\nknowledge_cap = -1\n", 10),
        ("[learning]\nprior_from_weight = 21\n", 10),
    ],
)
def test_a_value_out_of_range_contradicts_nothing(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "routeward.toml").write_text(MODELS + text)
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "routeward.toml", {})
    assert {problem.line for problem in refused.value.problems} == {line}


@pytest.mark.parametrize(
    "text",
    [
        '[categories.chat]\nbaseline = "large"\nguard = 0.1\n',
        '[categories.chat]\nbaseline = "large"\nobserve_share = 0\n',
        "[learning]\nfloor = 0.05\ncanary_share = 0.05\n[learning.caps]\nlarge = 0.05\n",
        "[learning]\nfloor = 0\ncanary_share = 0.0001\n",
        '[[budgets]]\nname = "month"\nusd_per_period = 9\n[categories.default]\nmode = "cheapest_within"\n',
    ],
)
def test_settings_that_only_come_near_to_it_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "routeward.toml").write_text(MODELS + text)
    assert [model.id for model in load(tmp_path / "routeward.toml", {}).catalogue.models] == ["large", "small"]
