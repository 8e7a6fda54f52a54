"""Variants: which combinations of conditional parts there are, and what each of them shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from render.helpers_render import (
    NAME,
    as_nobody,
    at,
    body_text,
    issue,
    items,
    link,
    para,
    picture,
    printed,
    words,
    wrong,
)

from newsletter.conditions import OTHERS, holds, variant_key
from newsletter.model import (
    Block,
    Cards,
    Choice,
    Columns,
    Condition,
    Contents,
    Edition,
    Figure,
    Footnote,
    Heading,
    Note,
    NoteRef,
    Only,
    Op,
    Quote,
    SignOff,
    When,
)
from newsletter.personal import join
from newsletter.render.showing import shown
from newsletter.render.variants import MOST, choices, combinations

if TYPE_CHECKING:
    from collections.abc import Mapping


def is_(name: str, *texts: str) -> Condition:
    """A value that is one of some texts."""
    return Condition("==", name, texts) if len(texts) == 1 else Condition("in", name, texts)


def when(condition: Condition | str, *blocks: Block, otherwise: tuple[Block, ...] = ()) -> When:
    """A conditional part; a name alone asks for any value."""
    return When(Condition("has", condition) if isinstance(condition, str) else condition, blocks, otherwise, at())


def texts(edition: Edition) -> dict[str, str]:
    """The text part of every variant."""
    return {each.key: join(each.text, [field.name for field in edition.fields]) for each in edition.variants}


def keys(*blocks: Block) -> list[str]:
    """The keys of the combinations that there are of some blocks."""
    made = issue(*blocks)
    return list(combinations(choices(made), made))


# -- which there are ------------------------------------------------------------------


def test_without_conditions_there_is_one_variant() -> None:
    """Its key is empty, and nothing has to be decided."""
    edition = printed(para("x"))
    assert [each.key for each in edition.variants] == [""]
    assert edition.choices == ()


def test_each_combination_is_one_variant_nobodys_first() -> None:
    """Named by the conditions that hold."""
    edition = printed(when("city", para("A"), otherwise=(para("B"),)), when(is_("plan", "pro"), para("C")))
    assert [each.key for each in edition.variants] == [OTHERS, "plan-pro", "city", "city+plan-pro"]
    for key, text in texts(edition).items():
        assert ("\nA\n" in text, "\nB\n" in text) == ("city" in key, "city" not in key)
        assert ("\nC\n" in text) == ("plan-pro" in key)
    assert body_text(edition.web).count("B") == body_text(as_nobody(edition)[0]).count("B")


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([when(is_("plan", "pro")), when(is_("plan", "free"))], [OTHERS, "plan-free", "plan-pro"]),
        ([when(is_("plan", "pro")), when(is_("plan", "pro", "team"))], [OTHERS, "plan-pro+plan-in-pro-team", "plan-in-pro-team"]),
        ([when("a"), when(Condition("not", inner=(Condition("has", "a"),)))], ["no-a", "a"]),
        ([when(Condition("<", "n", ("5",))), when(Condition(">", "n", ("5",)))], [OTHERS, "n-below-5", "n-above-5"]),
        (
            [when(Condition("<=", "n", ("5",))), when(Condition(">=", "n", ("5.0",)))],
            [OTHERS, "n-up-to-5", "n-up-to-5+n-from-5-0", "n-from-5-0"],
        ),
        ([when(Condition("<", "n", ("5",))), when(Condition("<", "n", ("5.0",)))], [OTHERS, "n-below-5+n-below-5-0"]),
        (
            [when(Condition(">", "d", ("2026-01-01",))), when(is_("d", "2026-01-01T12:00"))],
            [OTHERS, "d-2026-01-01t12-00", "d-above-2026-01-01"],
        ),
        ([when(Condition("<", "t", ("b",))), when(is_("t", "a"))], [OTHERS, "t-below-b", "t-below-b+t-a"]),
        ([when(is_("t", ""))], ["t-empty", OTHERS]),
        ([when(is_("t", "x", "")), when("t")], ["t-in-x-empty", "t", "t-in-x-empty+t"]),
        ([when(is_("plan", "pro")), when(is_("plan", "PRO")), when(is_("plan", "“"))], [OTHERS, "plan-pro", "plan-pro-2", "plan"]),
        ([when("others")], [OTHERS, "others-2"]),
        ([when(Condition("or", inner=(Condition("has", "a"), Condition("has", "b"))))], [OTHERS, "a-or-b"]),
    ],
)  # fmt: skip
def test_combinations_that_cannot_be_are_not_made(blocks: list[Block], expected: list[str]) -> None:
    """No plan is two, and no number is both below and above another."""
    found = keys(*[each._replace(children=(para("x"),)) if isinstance(each, When) else each for each in blocks])
    assert sorted(found) == sorted(expected)


def test_what_stands_in_a_hidden_part_does_not_count() -> None:
    """Two questions in a row make three mails and not four."""
    inner = when("b", para("B"), otherwise=(when("c", para("C")),))
    assert keys(when("a", inner)) == [OTHERS, "a", "a+c", "a+b"]
    assert keys(Note("", (when("a", inner),), at()), Only("web", (when("d", para("D")),), at())) == [OTHERS, "a", "a+c", "a+b"]  # fmt: skip


def test_a_condition_that_nobody_can_meet_makes_no_variant() -> None:
    """Then there is one mail, and nothing to decide."""
    never = Condition("and", inner=(is_("plan", "pro"), is_("plan", "free")))
    edition = printed(when(never, para("A"), otherwise=(para("B"),)))
    assert [each.key for each in edition.variants] == [""]
    assert edition.choices == ()
    assert "\nB\n" in texts(edition)[""]


def test_too_many_variants_are_refused_with_their_conditions() -> None:
    """At the first of them."""
    (problem,) = wrong(*[when(f"n{number}", para("x")) for number in range(7)])
    assert problem.message == f"the conditional parts of this issue make more than {MOST} different mails"
    assert problem.hint.endswith("n0; n1; n2; n3; n4; n5; n6")
    assert problem.place == at()
    assert len(keys(*[when(f"n{number}", para("x")) for number in range(6)])) == MOST


def test_a_search_without_end_is_given_up() -> None:
    """Conditions that make two mails, and for which a million sorts of people would have to be tried."""
    pairs = [Condition("or", inner=(Condition("has", f"a{n}"), Condition("has", f"b{n}"))) for n in range(20)]
    (problem,) = wrong(when(Condition("and", inner=tuple(pairs)), para("x")))
    assert "ask for more values together than can be tried out" in problem.message
    assert "(a0 or b0) and" in problem.hint


# -- that none is forgotten -----------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from(
    ["", "x", "y", "xx", "X", "1", "2", "1.0", "01", "-1", "10", "2026-01-01", "2026-01-01T09:00", "2026-01-02", "\u00e9"]
)  # fmt: skip
OPS: st.SearchStrategy[Op] = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
ATOMS = st.one_of(
    st.builds(lambda op, name, text: Condition(op, name, (text,)), OPS, NAMES, VALUES),
    st.builds(lambda name, some: Condition("in", name, tuple(some)), NAMES, st.lists(VALUES, min_size=1, max_size=3)),
    st.builds(lambda name: Condition("has", name), NAMES),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds(lambda each: Condition("not", inner=(each,)), inner),
        st.builds(lambda op, two: Condition(op, inner=tuple(two)), st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=4,
)  # fmt: skip
PARTS: st.SearchStrategy[Block] = st.recursive(
    st.just(para("x")),
    lambda inner: st.builds(
        lambda condition, one, two: When(condition, tuple(one), tuple(two), at()),
        CONDITIONS,
        st.lists(inner, max_size=2),
        st.lists(inner, max_size=2),
    ),
    max_leaves=5,
)
PEOPLE = st.dictionaries(
    NAMES, VALUES | st.text(max_size=4) | st.integers(-20, 20).map(str) | st.dates().map(str), max_size=3
)


@settings(deadline=None, max_examples=300)
@given(blocks=st.lists(PARTS, min_size=1, max_size=4), people=st.lists(PEOPLE, min_size=1, max_size=8))
def test_there_is_a_variant_for_everybody(blocks: list[Block], people: list[dict[str, str]]) -> None:
    """Whatever is asked, and whatever is answered; and it shows what that person's values decide."""
    made = issue(*blocks)
    found = choices(made)
    there = combinations(found, made)
    assert next(iter(there)) == variant_key(found, {})
    for person in people:
        key = variant_key(found, person)
        assert key in there
        assert shown(made, there[key]) == shown(made, person)


@settings(deadline=None, max_examples=200)
@given(blocks=st.lists(PARTS, min_size=1, max_size=3))
def test_there_is_somebody_for_every_variant(blocks: list[Block]) -> None:
    """Each was found by a person who gets it, and two keys mean two ways to decide."""
    made = issue(*blocks)
    found = choices(made)
    decided = set()
    for key, person in combinations(found, made).items():
        assert variant_key(found, person) == key
        decided.add(tuple(_decisions(found, person)))
    assert len(decided) == len(combinations(found, made))


def _decisions(found: tuple[Choice, ...], person: Mapping[str, str]) -> list[bool]:
    """What is decided on the way through the parts that show."""
    made: list[bool] = []
    for each in found:
        made.append(holds(each.condition, person))
        made += _decisions(each.then if made[-1] else each.otherwise, person)
    return made


# -- what each shows ------------------------------------------------------------------


def test_contents_and_footnotes_are_those_of_the_variant() -> None:
    """Heads that are not shown are not listed, and notes are counted as their marks come."""
    notes = (Footnote(1, (para("first", NoteRef(3)),)), Footnote(2, (para("second"),)), Footnote(3, (para("third"),)))
    edition = printed(
        Contents(at()),
        when("a", Heading(2, words("Head A"), "a", at()), para("A", NoteRef(1))),
        Heading(2, words("Head B"), "b", at()),
        para("B", NoteRef(2), "C", NoteRef(2, 2)),
        footnotes=notes,
    )
    found = texts(edition)
    assert "- Head A\n- Head B\n" in found["a"]
    assert "- Head A" not in found[OTHERS]
    assert "A¹\n" in found["a"]
    assert "B²C²" in found["a"]
    assert "¹ first³\n² second\n³ third\n" in found["a"].replace("\n\n", "\n")
    assert "B¹C¹" in found[OTHERS]
    assert "¹ second\n" in found[OTHERS]
    assert "first" not in found[OTHERS] + edition.web
    assert "fnref-1-2" in edition.web


def test_a_box_around_nothing_is_not_shown() -> None:
    """Items, quotes, columns and notes without a title; a note with one says something."""
    part = when("a", para("A"))
    blocks = (
        Quote((part,), at()),
        Note("", (part,), at()),
        Columns(((part,), (part,)), at()),
        items((part,), (para("kept"),)),
        items((part,)),
        Note("Titled", (part,), at()),
        SignOff(None, "", (part,), at()),
        Cards((), at()),
    )
    made = shown(issue(*blocks), {})
    assert made.blocks == (
        items((para("kept"),)),
        Note("Titled", (), at()),
        SignOff(None, "", (), at()),
        Cards((), at()),
    )
    assert len(shown(issue(*blocks), {"a": "1"}).blocks) == len(blocks)


def test_the_pre_flight_is_told_of_every_variants_links_and_pictures() -> None:
    """Each once."""
    edition = printed(
        para(link("https://e.org/all")),
        when("a", para(link("https://e.org/a")), otherwise=(Figure(picture("b.png"), "b", (), "", 536, at()),)),
    )
    assert sorted(each.href for each in edition.links) == ["https://e.org/a", "https://e.org/all"]
    assert [each.name for each in edition.images] == ["b.png"]


def test_fields_have_one_number_in_all_variants() -> None:
    """The theme's own come after the author's, whichever variant uses them."""
    edition = printed(when("a", para(f"Hi {NAME}")), when("b", para("x")))
    assert [each.name for each in edition.fields] == ["first_name", "code", "unsubscribe_url", "view_url"]
    for text in texts(edition).values():
        assert "Unsubscribe: unsubscribe_url\n" in text
