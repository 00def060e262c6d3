"""A corpus of broken configurations: each is refused with its line, what is wrong and what to do."""

from pathlib import Path
from typing import NamedTuple

import pytest

from server.config import ConfigError, load

GOOD = """\
[[models]]
id = "gpt-4o"
input_usd_per_mtok = 2.5
output_usd_per_mtok = 10
"""
BUDGET = GOOD + '[[budgets]]\nname = "b"\n'
KEY = f'[[server.keys]]\nid = "app"\nsha256 = "{"a" * 64}"\n'


class Bad(NamedTuple):
    """A broken file; `line`, `message` and `hint` are what the only error must say."""

    name: str
    text: str
    line: int
    message: str
    hint: str


CORPUS = [
    Bad("budget without an amount", BUDGET, 5, "the budget has no amount", "usd_per_request = 0.002"),
    Bad(
        "budget with two amounts",
        BUDGET + "usd_per_request = 1\nusd_per_period = 1\n",
        8,
        "are both given",
        "keep one of them",
    ),
    Bad("budget of zero", BUDGET + "usd_per_request = 0\n", 7, "usd_per_request is 0", "1e-09"),
    Bad("negative budget", BUDGET + "usd_per_period = -5\n", 7, "usd_per_period is -5", "1e-09"),
    Bad(
        "budget that nothing divides by", BUDGET + "usd_per_request = 5e-324\n", 7, "usd_per_request is 5e-324", "1e-09"
    ),
    Bad("budget that is no number", BUDGET + "usd_per_request = nan\n", 7, "no finite number", "1e-09"),
    Bad("endless budget", BUDGET + "usd_per_request = inf\n", 7, "no finite number", "1e-09"),
    Bad("budget as text", BUDGET + 'usd_per_request = "1"\n', 7, 'usd_per_request is "1"', "without quotes"),
    Bad("budget without a name", GOOD + "[[budgets]]\nusd_per_request = 1\n", 5, "name is missing", "name = "),
    Bad(
        "two budgets of one name",
        BUDGET + 'usd_per_request = 1\n[[budgets]]\nname = "b"\nusd_per_period = 1\n',
        9,
        '"b" is the name of two budgets',
        "a name of its own",
    ),
    Bad(
        "period of an amount per request",
        BUDGET + "usd_per_request = 1\nperiod_hours = 24\n",
        8,
        "period_hours is given without usd_per_period",
        "remove it",
    ),
    Bad(
        "exhaustion of an amount per request",
        BUDGET + 'usd_per_request = 1\non_exhausted = "refuse"\n',
        8,
        "on_exhausted is given without usd_per_period",
        "remove it",
    ),
    Bad("period of no hours", BUDGET + "usd_per_period = 1\nperiod_hours = 0\n", 8, "period_hours is 0", "1 to 744"),
    Bad("unknown way to end", BUDGET + 'usd_per_period = 1\non_exhausted = "stop"\n', 8, "on_exhausted is", '"refuse"'),
    Bad(
        "budget of an unknown profile",
        BUDGET + 'usd_per_request = 1\nprofile = "balancd"\n',
        8,
        'there is no profile "balancd"',
        'did you mean "balanced"?',
    ),
    Bad(
        "budget of an unknown category",
        BUDGET + 'usd_per_request = 1\ncategory = "chat"\n',
        8,
        'there is no category "chat"',
        "known: none",
    ),
    Bad(
        "budget of an unknown namespace",
        BUDGET + 'usd_per_request = 1\nnamespace = "shop"\n',
        8,
        'there is no namespace "shop"',
        "known: default",
    ),
    Bad(
        "budget per request for the cheapest model that is good enough",
        BUDGET + 'usd_per_request = 1\n[categories.default]\nmode = "cheapest_within"\n',
        7,
        'usd_per_request covers a category of mode cheapest_within, which no budget can slow down: "default"',
        'name a category of mode "maximize" in the budget',
    ),
    Bad(
        "budget of a category of the cheapest model that is good enough",
        BUDGET + 'usd_per_request = 1\ncategory = "mail"\n[categories.mail]\nmode = "cheapest_within"\n',
        8,
        'usd_per_request covers a category of mode cheapest_within, which no budget can slow down: "mail"',
        "or remove the mode there",
    ),
    Bad(
        "unknown key", "[server]\nlissen = 1\n" + GOOD, 2, 'unknown key "lissen" in [server]', 'did you mean "listen"?'
    ),
    Bad("unknown table", GOOD + "[learnin]\nfloor = 0\n", 5, 'unknown key "learnin"', 'did you mean "learning"?'),
    Bad(
        "unknown key of a model",
        GOOD + "input_price = 1\n",
        5,
        'unknown key "input_price" in [[models]]',
        "known: alias_of, cached_input_usd",
    ),
    Bad("unknown signal", "[learning.half_life_days]\nqualty = 3\n" + GOOD, 2, "qualty", 'did you mean "quality"?'),
    Bad(
        "unknown key of a profile", GOOD + "[profiles.fast]\nsecond_usd = 1\n", 6, "[profiles.NAME]", "second_value_usd"
    ),
    Bad("key of another table", "exploration = 0.5\n" + GOOD, 1, "at the top of the file", "belongs in [learning]"),
    Bad("key after a table", GOOD + "floor = 0.01\n", 5, "in [[models]]", "floor belongs in [learning]"),
    Bad("misspelt and misplaced", "strict_categorys = true\n" + GOOD, 1, "strict_categorys", "It belongs in [routing]"),
    Bad("dotted unknown key", "learning.flor = 0.1\n" + GOOD, 1, "flor", 'did you mean "floor"?'),
    Bad("no models", "[server]\n", 1, "models is missing at the top", "[[models]]"),
    Bad("models empty", "models = []\n", 1, "models has 0 entries", "write [[models]], with two brackets"),
    Bad("models as one table", "\n[models]\nid = 'a'\n", 2, "models is a table", "write [[models]], with two brackets"),
    Bad("server as a list", "[[server]]\nlisten = '127.0.0.1:1'\n" + GOOD, 1, "server is a list", "write [server]"),
    Bad("profile as a value", "[profiles]\nfast = 1\n" + GOOD, 2, "profiles[fast] is 1", "write [profiles.NAME]"),
    Bad(
        "profiles as a list",
        "profiles = []\n" + GOOD,
        1,
        "profiles is a list",
        "write [profiles.NAME], with one bracket",
    ),
    Bad("model as a text", 'models = [\n  "gpt-4o",\n]\n', 2, '"gpt-4o", which is text', "write [[models]]"),
    Bad(
        *("price missing", '[[models]]\nid = "a"\ninput_usd_per_mtok = 1\n', 1),
        *("output_usd_per_mtok is missing in [[models]]", "from the provider's price list"),
    ),
    Bad(
        *("id missing", GOOD + "[[models]]\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 1\n", 5),
        *("id is missing in [[models]]", 'add  id = "gpt-4o-mini"'),
    ),
    Bad(
        "price as text",
        GOOD.replace("2.5", '"2.5"'),
        3,
        '"2.5", which is text',
        "a number without quotes (0 to 100,000)",
    ),
    Bad("price below zero", GOOD.replace("10", "-10"), 4, "is -10, which is out of range", "(0 to 100,000)"),
    Bad("price not a number", GOOD.replace("10", "nan"), 4, "nan, which is no finite number", "(0 to 100,000)"),
    Bad("price infinite", GOOD.replace("10", "-inf"), 4, "-inf", "(0 to 100,000)"),
    Bad("price true", GOOD.replace("10", "true"), 4, "true, which is a truth value", "a number without quotes"),
    Bad("price a date", GOOD.replace("10", "2026-01-01"), 4, "2026-01-01, which is a date or time", "a number"),
    Bad(
        "no such mode", GOOD + "[categories.a]\nmode = 'cheapest'\n", 6, '"cheapest"', '"maximize" or "cheapest_within"'
    ),
    Bad(
        *("within without its mode", GOOD + "[categories.a]\nwithin = 0.1\n", 6),
        *("within is given, but the mode is not cheapest_within", 'mode = "cheapest_within"'),
    ),
    Bad(
        *("within of another mode", GOOD + "[categories.a]\nmode = 'maximize'\nwithin_probability = 0.8\n", 7),
        *("within_probability is given, but the mode is not", 'mode = "cheapest_within"'),
    ),
    *(
        Bad(
            f"{key} = {value}",
            GOOD + f"[categories.a]\nmode = 'cheapest_within'\n{key} = {value}\n",
            *(7, "which is out of range", f"({range_})"),
        )
        for key, value, range_ in [
            ("within", "0", "0.0001 to 1"),
            ("within", "1.01", "0.0001 to 1"),
            ("within_probability", "0.49", "0.5 to 0.9999"),
            ("within_probability", "1.0", "0.5 to 0.9999"),
            ("within_exploration", "-0.1", "0 to 0.5"),
        ]
    ),
    *(
        Bad(
            f"{key} = {value}",
            GOOD + f"[categories.a]\nbaseline = 'gpt-4o'\n{key} = {value}\n",
            *(7, "which is out of range", f"({range_})"),
        )
        for key, value, range_ in [("observe_share", "1.5", "0 to 1"), ("guard", "1.0", "0 to 0.99")]
    ),
    Bad(
        *("share without a baseline", GOOD + "[categories.a]\nobserve_share = 0.2\n", 6),
        *("observe_share is given without a baseline", 'baseline = "MODEL ID"'),
    ),
    Bad(
        *("guard without a baseline", GOOD + "[categories.a]\nguard = 0.05\n", 6),
        *("guard is given without a baseline", 'baseline = "MODEL ID"'),
    ),
    Bad(
        *("unknown baseline", GOOD + "[categories.a]\nbaseline = 'gpt-4'\nguard = 0.05\n", 6),
        *('there is no model "gpt-4"', 'did you mean "gpt-4o"?'),
    ),
    Bad(
        "baseline switched off",
        GOOD + "enabled = false\n" + GOOD.replace("gpt-4o", "b") + "[categories.a]\nguard = 0.1\nbaseline = 'gpt-4o'\n",
        *(12, 'the model "gpt-4o" is not enabled', "enable it, or name another"),
    ),
    Bad("canary above 1", "[learning]\ncanary_share = 1.5\n" + GOOD, 2, "out of range", "(0 to 1)"),
    Bad("canary of nothing", "[learning]\ncanary_observations = 0\n" + GOOD, 2, "out of range", "(1 to 1,000,000)"),
    Bad("same id twice", GOOD + GOOD, 6, '"gpt-4o" is the id of two models', "an id of its own"),
    Bad("id with a blank", GOOD.replace("gpt-4o", "gpt 4o"), 2, '"gpt 4o"', "1 to 64 characters of A-Z"),
    Bad("id too long", GOOD.replace("gpt-4o", "g" * 65), 2, "not what it should be", "1 to 64 characters of A-Z"),
    Bad("id empty", GOOD.replace("gpt-4o", ""), 2, 'id is ""', "1 to 64 characters of A-Z"),
    Bad("id with a line end", GOOD.replace("gpt-4o", "gpt-4o\\n"), 2, "id is", "1 to 64 characters of A-Z"),
    Bad("capabilities as text", GOOD + 'capabilities = "tools"\n', 5, '"tools", which is text', '["tools", "vision"]'),
    Bad(
        "a capability in a long list",
        GOOD + 'capabilities = [\n "tools",\n 5,\n]\n',
        7,
        "capabilities[1] is 5",
        "write text in quotes",
    ),
    Bad("tokens with a fraction", GOOD + "context_tokens = 1.5\n", 5, "1.5, which is no whole number", "whole number"),
    Bad("no tokens", GOOD + "max_output_tokens = 0\n", 5, "is 0, which is out of range", "(1 to 100,000,000)"),
    Bad(
        *("answer longer than context", GOOD + "context_tokens = 10\nmax_output_tokens = 11\n", 6),
        *("max_output_tokens is more than context_tokens", "an answer is part of the context"),
    ),
    Bad("truth as text", GOOD + 'enabled = "yes"\n', 5, '"yes", which is text', "true or false without quotes"),
    Bad("nothing enabled", GOOD + "enabled = false\n", 1, "no model is enabled", "remove  enabled = false"),
    Bad("address without port", "[server]\nlisten = 'localhost'\n" + GOOD, 2, '"localhost"', '"HOST:PORT"'),
    Bad(
        "address with a name", "[server]\nlisten = 'example.com:1'\n" + GOOD, 2, '"example.com:1"', "localhost, an IPv4"
    ),
    Bad(
        "metrics for everyone",
        "[server]\nmetrics = '0.0.0.0:9464'\n" + GOOD,
        *(2, "without API keys", "keep metrics on 127.0.0.1"),
    ),
    Bad("port too large", "[server]\nmetrics = '127.0.0.1:65536'\n" + GOOD, 2, "65536", '"HOST:PORT"'),
    Bad(
        *("one address for both", "[server]\nlisten = '127.0.0.1:9464'\n" + GOOD, 1),
        *("metrics and listen are the same address", "give metrics another port"),
    ),
    Bad(
        *("open without keys", "[server]\ntoken_key_file = 'here.toml'\nlisten = '0.0.0.0:7443'\n" + GOOD, 3),
        *("no API key is configured", "routeward keys create"),
    ),
    Bad(
        "open to IPv6",
        "[server]\nlisten = '[::]:1'\ntoken_key_file = 'here.toml'\n" + GOOD,
        2,
        "API key",
        "keys create",
    ),
    Bad(
        *("open without keys to sign", "[server]\nlisten = '10.0.0.1:7443'\n" + KEY + GOOD, 2),
        *("no key signs decision ids", "ROUTEWARD_TOKEN_KEYS, or run  routeward keys rotate"),
    ),
    Bad("certificate alone", "[server]\ntls_certificate = 'here.toml'\n" + GOOD, 2, "without tls_key", "give both"),
    Bad(
        *("certificate missing", "[server]\ntls_key = 'here.toml'\ntls_certificate = 'no.crt'\n" + GOOD, 3),
        *("there is no file", "relative paths start at this file"),
    ),
    Bad("hash too short", KEY.replace("a" * 64, "a" * 63) + GOOD, 3, "sha256 is not what", "routeward keys create"),
    Bad("key twice", KEY + KEY + GOOD, 5, '"app" is the id of two keys', "an id of its own"),
    Bad("namespace with a blank", KEY + 'namespace = "a b"\n' + GOOD, 4, '"a b"', "1 to 64 characters"),
    Bad("drain too long", "[server]\ndrain_seconds = 61\n" + GOOD, 2, "is 61, which is out of range", "(0 to 60)"),
    Bad(
        *("spool in the store", "[store]\npath = 'a.db'\n[spool]\npath = './a.db'\n" + GOOD, 4),
        *("store.path names the same file", "a file of its own"),
    ),
    Bad("no such folder", "[store]\npath = 'no/such.db'\n" + GOOD, 2, "there is no folder", "make it, or name another"),
    Bad("folder as database", "[store]\npath = '.'\n" + GOOD, 2, "is a folder", "name a file in it"),
    Bad("path with a null", '[server]\ntoken_key_file = "a\\u0000"\n' + GOOD, 2, "token_key_file is", "(a path)"),
    Bad(
        "path too long",
        f"[server]\ntls_key = '{'a' * 300}'\ntls_certificate = 'here.toml'\n" + GOOD,
        2,
        "no file",
        "another",
    ),
    Bad("memory by another name", "[store]\npath = ':memory:'\n" + GOOD, 2, "cannot have this name", 'path = ""'),
    Bad("retention", "[store]\nretention_days = 3\n" + GOOD, 2, "less than max_feedback_age_days (7)", "count twice"),
    Bad(
        *("feedback age", "learning.max_feedback_age_days = 31\n" + GOOD, 1),
        *("retention_days (30) is less", "keep signals as long"),
    ),
    Bad("space with a fraction", "[store]\nmin_free_mb = 0.5\n" + GOOD, 2, "no whole number", "(0 to 1,000,000)"),
    Bad("exploration", "[learning]\nexploration = 40\n" + GOOD, 2, "is 40, which is out of range", "(0.01 to 2)"),
    Bad(
        *("floor", "learning.floor = 0.1\n" + "".join(GOOD.replace("gpt-4o", f"m{i}") for i in range(11)), 1),
        *("0.1 for each of 11 models", "lower it to 0.09 or less"),
    ),
    Bad("cap of no model", '[learning.caps]\n"gpt-4" = 0.5\n' + GOOD, 2, 'no model "gpt-4"', 'did you mean "gpt-4o"?'),
    Bad("cap above 1", '[learning.caps]\n"gpt-4o" = 1.1\n' + GOOD, 2, "caps[gpt-4o] is 1.1", "(above 0 to 1)"),
    Bad("inline half-life", "learning.half_life_days = { error = 0 }\n" + GOOD, 1, "error is 0", "(0.01 to 3,650)"),
    Bad(
        "category name",
        '[categories."code review"]\n' + GOOD,
        1,
        '"code review" is no valid name',
        "1 to 64 characters",
    ),
    Bad("source", "[categories.x]\nquality_source = 'score:'\n" + GOOD, 2, '"score:"', 'or "thumb+score:NAME"'),
    Bad("probability", "categories.x = { latency_probability = 95 }\n" + GOOD, 1, "is 95", "(0.5 to 0.9999)"),
    Bad("fused source", "[categories.x]\nquality_source = 'score:a+thumb'\n" + GOOD, 2, "a+thumb", "thumb+score:NAME"),
    Bad(
        *(
            "too many score names, joined with thumbs or not",
            "".join(f"categories.c{i}.quality_source='{'thumb+' * (i % 2)}score:{i}'\n" for i in range(8)) + GOOD,
            1,
        ),
        *("8 names of scores are used, but there may be 7", "share names of scores"),
    ),
    Bad(
        *("too many score names", "".join(f"categories.c{i}.quality_source='score:{i}'\n" for i in range(8)) + GOOD, 1),
        *("8 names of scores are used, but there may be 7", "share names of scores"),
    ),
    Bad(
        *("too many categories", "routing.max_categories = 1\n[categories.a]\n[categories.b]\n" + GOOD, 2),
        *("2 categories are configured, but max_categories is 1", "raise max_categories"),
    ),
    Bad("value below zero", "[profiles.x]\nanswer_value_usd = -1\n" + GOOD, 2, "is -1", "(0 to 1,000,000)"),
    Bad("syntax: no value", "[server]\nlisten =\n" + GOOD, 2, "not TOML", "a key or table may stand only once"),
    Bad("syntax: no quotes", GOOD.replace('"gpt-4o"', "gpt-4o"), 2, "not TOML", 'text stands in quotes:  id = "..."'),
    Bad("syntax: capital True", GOOD + "enabled = True\n", 5, "not TOML", "true and false are lower case"),
    Bad("syntax: prose", "# fine\nhello\n" + GOOD, 2, "not TOML", "write  key = value"),
    Bad("syntax: key twice", GOOD + 'id = "b"\n', 5, "not TOML: Cannot overwrite a value", "may stand only once"),
    Bad("syntax: table twice", "[server]\n[store]\n[server]\n" + GOOD, 3, "not TOML", "may stand only once"),
    Bad("syntax: open list", GOOD + "capabilities = [\n", 5, "not TOML", "brackets and quotes must be closed"),
    Bad("syntax: byte order mark", "\ufeff" + GOOD, 1, "not TOML", "without a byte order mark"),
    Bad("syntax: nested too deeply", "a = " + "[" * 100_000, 1, "nested too deeply", "routeward init"),
    Bad("syntax: endless number", GOOD.replace("10", "1" * 5000), 1, "a number is too long", "routeward init"),
    Bad("price with too many digits", GOOD.replace("10", "1" * 400), 4, "too many digits", "(0 to 100,000)"),
    Bad(
        "hexadecimal without end",
        "[store]\nretention_days = 0x1" + "0" * 9999 + "\n" + GOOD,
        2,
        "too many digits",
        "3,650",
    ),
    Bad("with carriage returns", ("[server]\nlissen = 1\n" + GOOD).replace("\n", "\r\n"), 2, "lissen", "listen"),
]


def problems_of(folder: Path, text: str) -> list[tuple[str, int | None, str, str]]:
    path = folder / "here.toml"
    path.write_bytes(text.encode())
    with pytest.raises(ConfigError) as raised:
        load(path, {})
    return [(one.place, one.line, one.message, one.hint) for one in raised.value.problems]


@pytest.mark.parametrize("bad", CORPUS, ids=[bad.name for bad in CORPUS])
def test_a_broken_configuration_is_refused_with_its_line_and_what_to_do(bad: Bad, tmp_path: Path) -> None:
    [(place, line, message, hint)] = problems_of(tmp_path, bad.text)
    assert (place, line) == (f"{tmp_path / 'here.toml'}:{bad.line}", bad.line)
    assert bad.message in message
    assert bad.hint in hint


def test_the_corpus_is_broken_in_one_way_each() -> None:
    assert len({bad.text for bad in CORPUS}) == len(CORPUS) >= 40


def test_everything_that_is_wrong_is_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "[server]\nlissen = 1\ndrain_seconds = 99\n" + GOOD + GOOD.replace("2.5", '"x"')
    assert [line for _, line, _, _ in problems_of(tmp_path, text)] == [2, 3, 9, 10]


def test_an_error_reads_as_two_lines_for_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "here.toml"
    path.write_text("[server]\nlissen = 1\n" + GOOD)
    with pytest.raises(ConfigError) as raised:
        load(path, {})
    first, second = str(raised.value).splitlines()
    assert first == f'{path}:2: unknown key "lissen" in [server]'
    assert second == '    did you mean "listen"?'


def test_a_secret_that_was_pasted_for_its_hash_is_not_shown(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, KEY.replace("a" * 64, "TOP-SECRET") + GOOD)
    assert "TOP-SECRET" not in str(problems)


@pytest.mark.parametrize("keys", ["nonsense", "a:" + "g" * 64, f"a:{'0' * 64},a:{'1' * 64}", ",", "a:" + "0" * 62])
def test_keys_of_the_environment_are_refused_without_showing_them(keys: str, tmp_path: Path) -> None:
    (tmp_path / "here.toml").write_text(GOOD)
    with pytest.raises(ConfigError, match="ROUTEWARD_TOKEN_KEYS") as raised:
        load(tmp_path / "here.toml", {"ROUTEWARD_TOKEN_KEYS": keys})
    assert len(keys) < 2 or keys not in str(raised.value)


def test_an_address_of_the_command_line_obeys_the_same_rules(tmp_path: Path) -> None:
    (tmp_path / "here.toml").write_text("[server]\nlisten = 'localhost:1'\n" + GOOD)
    with pytest.raises(ConfigError) as raised:
        load(tmp_path / "here.toml", {}, listen="0.0.0.0:7443")
    assert [problem.place for problem in raised.value.problems] == ["--listen", "--listen"]
