"""Lines of keys in TOML documents."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.toml.lines import Path, line_of, lines_of

DOCUMENT = '''\
a = 1
b.c = """
x = 2
[not.a.table]
""\\"""" # a comment = 3
"q.r" . 'z' = [ # a comment ]
  1, [2,
  3], { x = 1, y.z = "}" },
]
[s.t]
k = 1979-05-27 07:32:00 # and a date
literal = \'\'\'
'' \'\'\'\'\'
[[m]]
id = 'a'
[m.x]
y = 1
[[m]]

id = "b # no comment"
[[m.deep]]
v=1
  [[ m . deep ]]
  v = 2
[s]
z = {}
"" = -1.5e3
[ "t]" ]
last = true'''

LINES: dict[Path, int] = {
    ("a",): 1,
    ("b",): 2,
    ("b", "c"): 2,
    ("q.r",): 6,
    ("q.r", "z"): 6,
    ("q.r", "z", 0): 7,
    ("q.r", "z", 1): 7,
    ("q.r", "z", 1, 0): 7,
    ("q.r", "z", 1, 1): 8,
    ("q.r", "z", 2): 8,
    ("q.r", "z", 2, "x"): 8,
    ("q.r", "z", 2, "y"): 8,
    ("q.r", "z", 2, "y", "z"): 8,
    ("s",): 10,
    ("s", "t"): 10,
    ("s", "t", "k"): 11,
    ("s", "t", "literal"): 12,
    ("m",): 14,
    ("m", 0): 14,
    ("m", 0, "id"): 15,
    ("m", 0, "x"): 16,
    ("m", 0, "x", "y"): 17,
    ("m", 1): 18,
    ("m", 1, "id"): 20,
    ("m", 1, "deep"): 21,
    ("m", 1, "deep", 0): 21,
    ("m", 1, "deep", 0, "v"): 22,
    ("m", 1, "deep", 1): 23,
    ("m", 1, "deep", 1, "v"): 24,
    ("s", "z"): 26,
    ("s", ""): 27,
    ("t]",): 28,
    ("t]", "last"): 29,
}

SCALARS = st.sampled_from(
    ["1", "-1_000.5e3", "true", "2026-01-01 00:00:00", "'x # y'", '"y\\"]"', '"""\n a = 1\n\\""""""', "'''\n\n[x]'''"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda values: f"[ # list ]\n{', '.join(values)}\n]")
        | st.tuples(inner, inner).map(lambda pair: f"{{a = {pair[0]}, 'b c' . d={pair[1]}}}")
    ),
    max_leaves=4,
)
NAMES = st.sampled_from(["a", "b", "a.b", '"a b"', "'c' . d", '"\\u00e9"', "e-1"])
STATEMENTS = (
    st.tuples(NAMES, VALUES).map(" = ".join)
    | NAMES.map(lambda name: f"[ {name} ] # ] = [")
    | NAMES.map(lambda name: f"[[{name}]]")
    | st.sampled_from(["", "# a = 1", "]", "x ="])
)


def paths_of(value: object, above: Path = ()) -> Iterator[Path]:
    parts: Any = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for part, inner in parts:
        yield (*above, part)
        yield from paths_of(inner, (*above, part))


def test_every_key_of_a_document_has_the_line_it_stands_on() -> None:
    tomllib.loads(DOCUMENT)
    assert lines_of(DOCUMENT) == LINES


def test_what_does_not_exist_has_the_line_of_what_is_around_it() -> None:
    assert line_of(LINES, ("m", 1, "deep", 1, "missing", "more")) == 23
    assert line_of(LINES, ("missing",)) == 1


@settings(deadline=None, derandomize=True)
@given(st.lists(STATEMENTS, max_size=8).map("\n".join))
def test_whatever_the_parser_accepts_every_key_has_a_line_of_the_text(text: str) -> None:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = lines_of(text)
    assert set(lines) == set(paths_of(document))
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.text("abc", min_size=1, max_size=2), st.text(max_size=20)), unique_by=lambda pair: pair[0])
)
def test_a_key_is_found_whatever_the_texts_before_it_hold(pairs: list[tuple[str, str]]) -> None:
    text, expected = "", {}
    for key, content in pairs:
        expected[(key,)] = text.count("\n") + 1
        text += f'{key} = """{_escaped(content)}"""\n'
    assert lines_of(text) == expected


def _escaped(content: str) -> str:
    kept = "".join(char if char.isprintable() or char == "\n" else "" for char in content)
    return kept.replace("\\", "\\\\").replace('"', '\\"')
