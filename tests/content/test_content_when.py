"""``::: when``: what a condition may say, what is said of one that is none, and where an ``else`` belongs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from content.helpers_content import faults, outline, read, wrong
from hypothesis import given
from hypothesis import strategies as st

from newsletter.conditions import written
from newsletter.content.condition import NotACondition, parse
from newsletter.content.expression import NotAField
from newsletter.model import Condition, When

if TYPE_CHECKING:
    from support import Workspace


def nothing(key: str) -> str:
    """An issue without data."""
    raise NotAField(key)


def condition(source: str) -> Condition:
    """What an author wrote, read."""
    return parse(source, nothing)


PRO = Condition("==", "plan", ("pro",))
OLD = Condition("<", "joined", ("2020-01-01",))
CITY = Condition("has", "city")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('plan == "pro"', PRO),
        ("plan=='pro'", PRO),
        ('"pro" == plan', PRO),
        ('plan != "pro"', Condition("!=", "plan", ("pro",))),
        ("points >= 100", Condition(">=", "points", ("100",))),
        ("100 <= points", Condition(">=", "points", ("100",))),
        ("points > -1.50", Condition(">", "points", ("-1.5",))),
        ('joined < "2020-01-01"', OLD),
        ("city", CITY),
        ("not city", Condition("not", inner=(CITY,))),
        ('city in ("Berlin", "Kiel")', Condition("in", "city", ("Berlin", "Kiel"))),
        ('city in ["Berlin", 5]', Condition("in", "city", ("Berlin", "5"))),
        ('city in ("Berlin")', Condition("in", "city", ("Berlin",))),
        ('city not in ("Berlin", "Kiel")', Condition("not", inner=(Condition("in", "city", ("Berlin", "Kiel")),))),
        ('plan == "pro" and city', Condition("and", inner=(PRO, CITY))),
        (
            'plan == "pro" or city and joined < "2020-01-01"',
            Condition("or", inner=(PRO, Condition("and", inner=(CITY, OLD)))),
        ),
        ('(plan == "pro" or city) and city', Condition("and", inner=(Condition("or", inner=(PRO, CITY)), CITY))),
        ("city and city and city", Condition("and", inner=(CITY, CITY, CITY))),
        (
            "1 < points <= 10",
            Condition("and", inner=(Condition(">", "points", ("1",)), Condition("<=", "points", ("10",)))),
        ),
        ('plan == ""', Condition("==", "plan", ("",))),
        ('name == "a = b && “c”"', Condition("==", "name", ("a = b && “c”",))),
        ('email != "a@example.org"', Condition("!=", "email", ("a@example.org",))),
    ],
)
def test_comparisons_and_what_joins_them_are_read(source: str, expected: Condition) -> None:
    """In Jinja's own grammar, with a value and a text on either side."""
    assert condition(source) == expected


SLIPS = {
    'plan = "pro"': ("“=” does not compare", 'Write two: plan == "pro"', 5),
    "points =< 5": ("“=<” does not compare", "Write: points <= 100, or points >= 100", 7),
    'plan === "pro"': ("“===” does not compare", 'Write: plan == "pro", or plan != "pro"', 5),
    'plan <> "pro"': ("“<>” does not compare", 'Write: plan != "pro"', 5),
    "city && plan": ("“&&” joins nothing", "Write: and", 5),
    "city || plan": ("“||” joins nothing", "Write: or", 5),
    "!city": ("“!” turns nothing round", "Write: not", 0),
    "city AND plan": ("“AND” is written small", "Write: and, or, not, in", 5),
    "plan == „pro“": ("“„” is no quotation mark of a text", 'Write straight ones: plan == "pro"', 8),
    "plan == pro": ("“plan” and “pro” are both names", 'A text stands in quotes: plan == "pro"', 8),
    "plan == true": (
        "“true” is not a text or number",
        'Write it as the text that stands in your list: == "true". A name alone asks for any value.',
        8,
    ),
    "Plan == 'pro'": ("“Plan” is not a field's name", "Did you mean “plan”?", 0),
    "view_url": (
        "“view_url” is each reader's own link, and there is nothing to compare it with",
        "Compare a column of your list.",
        0,
    ),
    'city in "Berlin"': ("“in” is followed by texts in brackets", 'Write: city in ("Berlin", "Hamburg")', 5),
    "city in ()": ("“in” is followed by texts in brackets", 'Write: city in ("Berlin", "Hamburg")', 5),
    'plan | lower == "pro"': (
        "a filter (“lower”) may not stand in a condition",
        "A condition compares values as they are.",
        7,
    ),
}


@pytest.mark.parametrize(("source", "expected"), SLIPS.items(), ids=SLIPS.keys())
def test_a_slip_is_named_with_what_to_write(source: str, expected: tuple[str, str, int]) -> None:
    """And with its own place in the line."""
    with pytest.raises(NotACondition) as caught:
        condition(source)
    assert (str(caught.value), caught.value.hint, caught.value.at) == expected


@pytest.mark.parametrize(
    "source",
    [
        "", "true", "1", '"pro"', "1 == 1", "f()", "a.b", "a[0]", "a + b", 'plan ~ "x"', "a if b", "x is defined",
        "a, b", "{{ a }}", "a ==", "(a", "a b", "data", "None", "{'a': 1}", "((((((a)))))) ==", "-a", "a == -b",
        "a" * 600, "(" * 300 + "a" + ")" * 300,
    ],
)  # fmt: skip
def test_everything_else_that_jinja_knows_is_refused(source: str) -> None:
    """Nothing is called, and no attribute is read."""
    with pytest.raises(NotACondition) as caught:
        condition(source)
    assert caught.value.hint


@given(st.text("abz_ =!<>&|()[]\"'.,0123456789-\\notandrinel{}%#“”\n", max_size=60))
def test_no_text_breaks_the_reader(source: str) -> None:
    """It is a condition, or it is said why not; what is one is read again from how it is written."""
    try:
        found = condition(source)
    except NotACondition:
        return
    assert condition(written(found)) == found


def test_an_else_belongs_to_the_when_before_it(workspace: Workspace) -> None:
    """Directly behind it, at any depth; a footnote's definition between them parts nothing."""
    body = """\
::: when a

A[^1]

:::

[^1]: Note.

::: else
B
:::

- ::: when b
  C
  :::
  ::: else
  D
  :::

::::: when c
:::: when d
E
::::
:::: else
F
::::
:::::
"""
    first, second, third = read(workspace, body).blocks
    assert isinstance(first, When)
    assert outline(first.otherwise) == (("Paragraph", (("Text", "B"),)),)
    assert repr(outline(second)).count("'Paragraph'") == 2
    assert isinstance(third, When)
    (inner,) = third.children
    assert isinstance(inner, When)
    assert outline(inner.otherwise) == (("Paragraph", (("Text", "F"),)),)
    assert third.otherwise == ()


BAD = {
    "no condition": ("::: when\nA\n:::", ["1:9 “when” needs a condition: who gets this part?"]),
    "place": ('::: when  city and plan = "x"\nA\n:::', ["1:25 “=” does not compare"]),
    "in braces": ('::: when {plan == "pro"}\nA\n:::', ['1:10 “{plan == "pro"}” is not a condition']),
    "a field": ('::: when {{ plan }} == "pro"\nA\n:::', ["1:10 a merge field may not stand in a condition"]),
    "else alone": ("::: else\nA\n:::", ["1:1 this “else” belongs to no “when”"]),
    "two": ("::: when a\nA\n:::\n::: else\nB\n:::\n::: else\nC\n:::", ["7:1 this “else” belongs to no “when”"]),
    "something between": ("::: when a\nA\n:::\nB\n\n::: else\nC\n:::", ["6:1 this “else” belongs to no “when”"]),
    "a condition for else": ("::: when a\nA\n:::\n::: else if b\nB\n:::", ["4:1 “else” takes no title"]),
    "else inside": ("::: when a\nA\n::: else\nB\n:::\n:::", ["1:1 this “when” is not closed before its “else”"]),
    "never closed": ("::: when a\nA", ["1:1 the container “when” is never closed"]),
    "in columns": (
        ":::: columns\n::: when a\nA\n:::\n::: column\nB\n:::\n::: column\nC\n:::\n::::",
        ["2:1 only `::: column` can stand in “columns”"],
    ),
    "in a footnote": ("A[^1]\n\n[^1]: B\n\n    ::: when c\n    D\n    :::", ["5:5 a footnote holds no “when”"]),
    "both sides are read": (
        "::: when a = b\n[x](javascript:a)\n:::\n::: else\n[y](javascript:b)\n:::",
        [
            "1:12 “=” does not compare",
            "2:1 links of the kind “javascript:” are not allowed in mail",
            "5:1 links of the kind “javascript:” are not allowed in mail",
        ],
    ),
    "no data": ('::: when data.kind == "print"\nA\n:::', ["1:10 the issue's data has no key “kind”"]),
}


@pytest.mark.parametrize(("body", "expected"), BAD.values(), ids=BAD.keys())
def test_what_does_not_fit_is_reported_at_its_place(workspace: Workspace, body: str, expected: list[str]) -> None:
    """Once each."""
    assert wrong(workspace, body) == expected


def test_the_hints_say_what_to_write(workspace: Workspace) -> None:
    """For an ``else`` with a condition, and one before the ``when`` is closed."""
    body = "::: when a\nA\n:::\n::: else if b\nB\n:::\n\n::: when a\nA\n::: else\nB\n:::\n:::"
    assert [problem.hint for problem in faults(workspace, workspace.issue(body))] == [
        "For more than two cases put another “when” into the “else”, with fewer colons.",
        "Write ::: before ::: else, too.",
    ]


def test_the_issues_data_decides_at_once(workspace: Workspace) -> None:
    """The side that it does not choose is gone; what is left asks for people's values only."""
    workspace.write("issues/2026-11-23-hello/d.yaml", "kind: print\ncount: 12\n")
    body = """\
::: when data.kind == "print"
A
:::
::: else
B
:::

::: when data.count < 5
C
:::
::: else
D
:::

::: when data.kind != "print" or city
E
:::
"""
    first, second, third = outline(read(workspace, body, data="d.yaml").blocks)
    assert (first, second) == (("Paragraph", (("Text", "A"),)), ("Paragraph", (("Text", "D"),)))
    assert third[:2] == ("When", ("Condition", "has", "city", (), ()))
