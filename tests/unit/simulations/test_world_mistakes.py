"""Every mistake in a world file is told with its line, what is wrong, and what to write."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from simulations.command import options_of, simulate
from simulations.errors import SimulationError, WorldFileError
from simulations.generator import generate, write_csv
from simulations.worlds.positions import position_of
from simulations.worlds.world_file import WorldFile

OUTAGE = '[[events]]\nkind = "outage"\nmodel = "best"\nfrom = 10\n'


def told(path: Path, text: str) -> list[tuple[str, str]]:
    """What is said of a file: line and message of each problem, and its hint."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(WorldFileError) as refused:
        simulate(options_of({"workers": 1}, path))
    lines = str(refused.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines[::2])
    assert all(line.startswith("    ") for line in lines[1::2])
    return [(line.removeprefix(f"{path}:"), hint.strip()) for line, hint in zip(lines[::2], lines[1::2], strict=True)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_csv(generate(1, prompts_per_category=2), tmp_path / "table.csv")
    return tmp_path / "world.toml"


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("stepps = 5", '1: unknown key "stepps" at the top of the file', 'did you mean "steps"?'),
        ("steps = 0", "1: steps is 0, which is out of range", "write a whole number without quotes (1 to 10,000,000)"),
        ("steps = 4.0", "1: steps is 4.0, which is no whole number", "write a whole number without quotes"),
        ("quality_share = nan", "1: quality_share is nan, which is no finite number", "write a number without quotes"),
        ("budget_usd = -1.0", "1: budget_usd is -1.0, which is out of range", "write a number without quotes"),
        ("steps = 5\nsteps = 6", "2: not TOML: Cannot overwrite a value", "a key or table may stand only once"),
        ('models = ["a", "a"]', "1: a model is named twice", "name each once"),
        (
            'outcomes = "table.csv"\n[generator]\nseed = 1',
            "2: outcomes and [generator] are both given",
            "keep one of them",
        ),
        (
            "[objective]\n[[objectives]]\nanswer_value_usd = 1.0",
            "1: [objective] and [[objectives]] are both given",
            "keep [objective] for one",
        ),
        (
            '[[events]]\nkind = "outtage"\nfrom = 3',
            '2: kind is "outtage", which is not what it should be',
            "write text in quotes (quality-drop, outage, latency-change",
        ),
        ('[[events]]\nkind = "outage"\nfrom = 3', "1: outage has no model", 'add  model = "best"'),
        ('[[events]]\nkind = "categories-added"\nfrom = 3', "1: categories-added has no count", "add  count = 3"),
        ('[[events]]\nkind = "outage"\nmodel = "best"', "1: from is missing in [[events]]", 'add  from = "33%"'),
        (OUTAGE + "factor = 3.0", "5: factor means nothing for outage", "there are model, from, to, share"),
        (OUTAGE + "share = 1.5", "5: share is 1.5, which is out of range", "write a number without quotes (0 to 1)"),
        (OUTAGE + "to = 5", "5: from is request 10 and to is request 5", "let to be later than from"),
        (OUTAGE + "to = 21", "5: to is past the end of the run, which has 20 requests", "leave to out"),
        (OUTAGE + 'to = "1h"', "5: to is past the end of the run, which has 20 requests", "leave to out"),
        (OUTAGE + 'to = "101%"', '5: to is "101%", which is not what it should be', "write one value (a number of"),
        (
            OUTAGE.replace("10", "20"),
            "4: from is past the end of the run, which has 20 requests",
            "let it begin earlier",
        ),
        (OUTAGE.replace("best", "beast"), '3: there is no model "beast"', 'did you mean "best"?'),
        (
            OUTAGE.replace("outage", "model-added") * 2,
            '7: the model "best" is added twice',
            "remove one of the events",
        ),
        (
            OUTAGE.replace("outage", "false-judgements") * 2,
            "8: false-judgements begin before those of another event have ended",
            "let one end first",
        ),
        (
            '[[events]]\nkind = "categories-added"\nfrom = 10\ncount = 6',
            "4: 6 categories are to be added, and the table has 6 in all",
            "leave at least one that is there from the start",
        ),
        (
            '[[events]]\nkind = "categories-added"\nfrom = 10\ncount = 3\n' * 2,
            "8: 6 categories are to be added, and the table has 6 in all",
            "leave at least one that is there from the start",
        ),
        ('[[phases]]\nname = "a"\nfrom = 30', "3: from is past the end of the run", "let it begin earlier"),
        ('[[phases]]\nname = "a"\nfrom = 3\n' * 2, '5: two phases are called "a"', "give each a name of its own"),
        (
            '[arrivals]\nfile = "t.csv"\nrequests_per_second = 1.0',
            "3: requests_per_second and file are both given",
            "remove it; speed makes a trace faster",
        ),
        ('[arrivals]\ntrace = "x"', "2: trace is given without a file", "add  file = ...,  or remove it"),
        ('[arrivals]\nfile = "none.csv"', "2: ", "name a .csv or .parquet file, its column of seconds"),
        (
            '[[generator.tasks]]\ncategory = "a"\ninput_tokens = 3.0\noutput_tokens = 3.0\n' * 2,
            '6: "a" is the category of two tasks',
            "give each a name of its own",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_to_write(path: Path, text: str, problem: str, hint: str) -> None:
    size = "" if "steps" in text else "steps = 20\n"
    above = len(size.splitlines())
    source = "" if "outcomes" in text or "generator" in text else 'outcomes = "table.csv"\n'
    above += len(source.splitlines())
    [(said, advice)] = told(path, source + size + text)
    line, _, rest = problem.partition(": ")
    assert said.startswith(f"{int(line) + above}: {rest}")
    assert hint in advice


def test_several_mistakes_are_told_at_once_in_the_order_of_the_file(path: Path) -> None:
    problems = told(path, "seeds = 0\n[service]\nrefresh = 3\n[[events]]\nkind = 5\nfrom = true\n")
    assert [said.partition(":")[0] for said, _ in problems] == ["1", "3", "5", "6"]


def test_an_attack_on_its_own_favourite_is_refused(path: Path) -> None:
    attack = 'kind = "false-judgements"\nmodel = "best"\nfavoured = "best"\nfrom = 0\n'
    path.write_text(f'outcomes = "table.csv"\nsteps = 20\n[[events]]\n{attack}', encoding="utf-8")
    with pytest.raises(SimulationError, match="votes up and down"):
        simulate(options_of({"workers": 1}, path))


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorldFileError, match="there is no such file"):
        WorldFile.read(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"a = 1\n\xff")
    with pytest.raises(WorldFileError, match=r"binary\.toml:2: not UTF-8 text"):
        WorldFile.read(tmp_path / "binary.toml")
    with pytest.raises(WorldFileError, match="cannot be read"):
        WorldFile.read(tmp_path)


@given(st.text(max_size=60) | st.sampled_from([OUTAGE, "[[events]]", "[arrivals]\nfile = 3", "steps = 1e400"]))
def test_any_text_is_a_world_or_is_refused_with_what_is_wrong(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text, encoding="utf-8", errors="replace", newline="")
    with suppress(WorldFileError):
        WorldFile.read(path)


@pytest.mark.parametrize(
    "value",
    [-1, True, 2.5, "", "33", "%", "101%", "3/2", "1/0", "1/00", "0/000000000", "nan%", "-3s", "1 week", "h", None],
)
def test_what_is_no_place_in_a_run_is_refused(value: object) -> None:
    with pytest.raises(PydanticCustomError, match="no place in a run"):
        position_of(value)
