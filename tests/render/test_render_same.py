"""Cut once and joined, a mail is byte for byte what rendering it for one person gives.

Over issues and people that are made up: fields in every place, with every filter, in parts that some get. What a
person's conditions say is asked of Jinja itself, whose grammar they share.
"""

from __future__ import annotations

import html as entities
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment
from render.helpers_render import (
    Ready,
    as_nobody,
    at,
    body_text,
    config,
    default_theme,
    events,
    filled,
    issue,
    items,
    para,
    picture,
    printed,
    words,
)

from newsletter.conditions import variant_key
from newsletter.model import (
    Block,
    Button,
    Card,
    Cards,
    Columns,
    Condition,
    Edition,
    Field,
    Figure,
    Filter,
    Footnote,
    Heading,
    Issue,
    Link,
    Note,
    NoteRef,
    Only,
    PullQuote,
    Quote,
    RawHtml,
    RawMjml,
    SignOff,
    Sponsor,
    Styled,
    Table,
    Video,
    When,
)
from newsletter.personal import MARK, evaluate, is_encoded, is_whole, join, mark, number, used
from newsletter.render.edition import render

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS = (
    Field("name", (Filter("default", ("there & “here”",)),)),
    Field("name", (Filter("default", ("<none>",)), Filter("upper"))),
    Field("code", (Filter("default", ("'a b/c?d=1&e'",)),)),
    Field("points", (Filter("default", ("0",)), Filter("number"))),
    Field("points", (Filter("default", ("0",)), Filter("plural", ("point", "points")))),
    Field("joined", (Filter("default", ("2026-01-01",)), Filter("date", ("EEEE, d MMMM",)))),
    Field("code", (Filter("default", ("é",)), Filter("urlencode"))),
    Field("site", (Filter("default", ("https://example.org/?a=b&c='d'",)), Filter("link"))),
)
NAME, LOUD, CODE, COUNT, WORD, DAY, READY, SITE = (mark(index, 5) for index in range(len(FIELDS)))

SOURCES = (
    ('plan == "pro"', Condition("==", "plan", ("pro",))),
    ('plan != "pro"', Condition("!=", "plan", ("pro",))),
    ("points >= 100", Condition(">=", "points", ("100",))),
    ("points < 5", Condition("<", "points", ("5",))),
    ('plan in ("pro", "team")', Condition("in", "plan", ("pro", "team"))),
    ("name", Condition("has", "name")),
    (
        'not name or plan == "team"',
        Condition(
            "or", inner=(Condition("not", inner=(Condition("has", "name"),)), Condition("==", "plan", ("team",)))
        ),
    ),
    ("points > 10 and name", Condition("and", inner=(Condition(">", "points", ("10",)), Condition("has", "name")))),
)
"""Conditions as an author writes them, and as they are read."""

_JINJA = Environment(autoescape=True)
_ORACLE = {condition: _JINJA.compile_expression(source) for source, condition in SOURCES}

TEXT = st.sampled_from(
    [NAME, LOUD, CODE, COUNT, WORD, DAY, READY, f"{COUNT} {WORD}", f"{NAME}{LOUD}", 'it\'s "so" & <b>']
)
SPOKEN = st.builds("a {} é".format, TEXT)
HREF = st.sampled_from(
    [SITE, f"https://e.org/{CODE}?n={NAME}&x=1#{CODE}", f"https://e.org/?q={READY}", f"mailto:{NAME}@e.org", "https://e.org/"]
)  # fmt: skip
RUN = st.one_of(
    st.builds(para, SPOKEN),
    st.builds(lambda text: para(Styled("strong", words(text)), " ", Styled("em", words(text))), TEXT),
    st.builds(lambda href, text: para(Link(href, words(text), at(), title=f"t {text}")), HREF, TEXT),
)
WIDE = "a head that is wider than a phone, so that nobody's value decides how the table is laid out "
MJML = "<mj-section><mj-column><mj-text>x {} y</mj-text></mj-column></mj-section>".format
LEAVES: st.SearchStrategy[Block] = st.one_of(
    RUN,
    st.builds(lambda text: Heading(2, words(text), "head", at()), TEXT),
    st.builds(lambda text, href: Button(words(text), href, at()), TEXT, HREF),
    st.builds(lambda a, b, c, d: Figure(picture(), a, words(b), c, 536, at(), d), SPOKEN, SPOKEN, SPOKEN, HREF),
    st.builds(lambda a, b: Table((words(f"{WIDE}{a}"), words("x")), ((words(b), words(a)),), ("", "right"), at()), TEXT, TEXT),
    st.builds(lambda a, b, c, d: Cards((Card(a, b, c, picture(), a, (para(d),), at()),), at()), SPOKEN, SPOKEN, HREF, TEXT),
    st.builds(lambda a, b: Video(a, picture(), b, at()), HREF, SPOKEN),
    st.builds(lambda a, b: RawHtml(f'<p title="{a}"><a href="https://e.org/{b}">{a}</a></p>', at()), TEXT.filter(MARK.fullmatch), st.sampled_from([f"1/{CODE}", f"2/{READY}"])),
    st.builds(lambda a: RawMjml(MJML(a), at()), TEXT.filter(MARK.fullmatch)),
)  # fmt: skip


def _inner(block: Block) -> bool:
    """Whether a block may stand inside another one."""
    if isinstance(block, When):
        return all(map(_inner, (*block.children, *block.otherwise)))
    return not isinstance(block, RawMjml)


BLOCKS: st.SearchStrategy[Block] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(
            lambda each, one, two: When(each[1], tuple(one), tuple(two), at()),
            st.sampled_from(SOURCES),
            st.lists(inner, min_size=1, max_size=2),
            st.lists(inner, max_size=2),
        ),
        st.builds(lambda a, b: Note(a, (*b, para("end")), at()), SPOKEN, st.lists(inner.filter(_inner), max_size=2)),
        st.builds(lambda a, b: PullQuote((para(a),), b, at()), TEXT, SPOKEN),
        st.builds(lambda each: Quote((each, para("end")), at()), inner.filter(_inner)),
        st.builds(lambda a, b: Sponsor(a, (b, para("end")), at()), SPOKEN, inner.filter(_inner)),
        st.builds(lambda a, b: SignOff(picture(), a, (b, para("end")), at()), SPOKEN, inner.filter(_inner)),
        st.builds(lambda one, two: Columns(((one, para("x")), (two, para("y"))), at()), inner.filter(_inner), inner.filter(_inner)),
        st.builds(lambda each: items((para("x"), each), (para("y"),), tight=False), inner.filter(_inner)),
        st.builds(lambda each: Only("email", (each, para("z")), at()), inner.filter(_inner)),
    ),
    max_leaves=6,
)  # fmt: skip
NAUGHTY = (
    '"', "'", "<b>", "&amp;", "</p>", "{{7*7}}", "{% raw %}", "%recipient.email%", "*|X|*", "\\", "a  b", "नमस्ते",
    "👨\u200d👩", "%20", "$1", "${7*7}", "<!--", "]]>", "<![endif]-->", "\u202egnp", "x" * 300, "O'Neill <b>", "--", "a\u00a0b",
    "&#x41;", "m0123456789abh0z", "#{7*7}", "<%= 7*7 %>", "javascript:alert(1)", "مرحبا", "\\u0041", "=?utf-8?q?x?=",
)  # fmt: skip
VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"]), min_size=1, max_size=12),
    st.sampled_from(NAUGHTY),
)
PEOPLE = st.fixed_dictionaries(
    {},
    optional={
        "name": VALUES,
        "code": VALUES,
        "plan": st.sampled_from(["pro", "team", "free"]),
        "points": st.sampled_from(["0", "1", "4.5", "7", "100", "1234567.5"]),
        "joined": st.dates().map(str),
        "site": st.sampled_from(["https://example.com/ü?a='b'&c=%20", "tel:+1", "mailto:a@example.org"]),
    },
)


def typed(person: Mapping[str, str]) -> dict[str, Any]:
    """Values as Jinja compares them: a number that is missing is neither greater nor smaller than any other."""
    points = float(person["points"]) if "points" in person else float("nan")
    return {"name": "", "plan": "", **person, "points": points}


def decided(value: Any, person: Mapping[str, str]) -> Any:
    """A tree with every conditional part decided, by Jinja and not by us."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(decided(each, person) for each in value))
    if not isinstance(value, tuple):
        return value
    made: list[Any] = []
    for each in value:
        if isinstance(each, When):
            holds = _ORACLE[each.condition](**typed(person))
            made += decided(each.children if holds else each.otherwise, person)
        else:
            made.append(decided(each, person))
    return tuple(made)


def values_of(edition: Edition, person: Mapping[str, str]) -> list[str]:
    """The value of every field of an edition; a whole address is itself wherever it stands."""
    links = {each: f"https://l.example/{each}?a=b&c" for each in ("unsubscribe_url", "view_url")}
    made: list[str] = []
    for field in edition.fields:
        text = evaluate(field, {**person, **links}, "en")
        made.append(Ready(text) if is_whole(field) or is_encoded(field) else text)
    return made


def joined(edition: Edition, person: Mapping[str, str]) -> tuple[str, str, str]:
    """HTML, text and subject of one person's mail, put together from what was rendered once."""
    key = variant_key(edition.choices, person)
    variant = next(each for each in edition.variants if each.key == key)
    values = values_of(edition, person)
    return join(variant.html, values), join(variant.text, values), join(variant.subject, values)


def for_one(made: Issue, edition: Edition, person: Mapping[str, str]) -> tuple[str, str, str]:
    """The same, rendered for this person alone: values in the author's text, and the parts that Jinja says."""
    own = decided(filled(made, values_of(edition, person)), person)
    direct = render(own, default_theme(), config())
    (variant,) = direct.variants
    left = [direct.fields[index].name for index in sorted(used([variant.html, variant.text, variant.subject]))]
    assert left == ["unsubscribe_url", "view_url"]
    values = values_of(direct, person)
    return join(variant.html, values), join(variant.text, values), join(variant.subject, values)


def letter(blocks: list[Block]) -> Issue:
    """An issue with fields in every place around its blocks."""
    return issue(
        *blocks,
        para(NoteRef(1)),
        footnotes=(Footnote(1, (para(f"for {NAME} on {DAY}"),)),),
        fields=FIELDS,
        subject=f"{NAME}, it's {COUNT} {WORD}",
        preheader=f"Dear {LOUD} & “you”",
        dek=words(f"for {CODE}"),
        credits=(words(f"By {NAME}'s"),),
    )


@settings(max_examples=150, deadline=None)
@given(blocks=st.lists(BLOCKS, min_size=1, max_size=5), people=st.lists(PEOPLE, min_size=1, max_size=3))
def test_joining_is_byte_for_byte_what_rendering_for_one_person_gives(
    blocks: list[Block], people: list[dict[str, str]]
) -> None:
    """HTML and subject to the byte; the text to the word, for it is wrapped before anybody's name is known."""
    made = letter(blocks)
    edition = render(made, default_theme(), config())
    for person in people:
        html, text, subject = joined(edition, person)
        direct_html, direct_text, direct_subject = for_one(made, edition, person)
        assert html == direct_html
        assert subject == direct_subject
        assert re.sub(r"[\s=|>-]", "", text) == re.sub(r"[\s=|>-]", "", direct_text)


PLACES: dict[str, Block] = {
    "text": para(f"x {NAME} y"),
    "heading": Heading(2, words(f"x {NAME} y"), "x", at()),
    "link text": para(Link("https://e.org", words(f"x {NAME} y"), at())),
    "table cell": Table((words("a"),), ((words(f"x {NAME} y"),),), ("",), at()),
    "quote": Quote((para(f"x {NAME} y"),), at()),
    "pull quote": PullQuote((para("q"),), f"x {NAME} y", at()),
    "button": Button(words(f"x {NAME} y"), "https://e.org", at()),
    "card": Cards((Card(f"x {NAME} y", "", "", None, "", (), at()),), at()),
    "list": items((para(f"x {NAME} y"),)),
    "note": Note(f"x {NAME} y", (para("z"),), at()),
    "raw HTML": RawHtml(f"<p>x {NAME} y</p>", at()),
    "raw MJML": RawMjml(MJML(NAME), at()),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_naughty_value_arrives_as_it_is_in_every_place(place: str) -> None:
    """In the HTML and the text: as words, never run, and without a tag more than there was."""
    edition = printed(PLACES[place], fields=FIELDS)
    plain = [tag for tag, _ in events(joined(edition, {"name": "a"})[0])]
    for value in NAUGHTY:
        html, text, _ = joined(edition, {"name": value})
        wanted = " ".join(f"x {value} y".split())
        assert wanted in " ".join(body_text(html).split())
        assert wanted in " ".join(text.split())
        assert [tag for tag, _ in events(html)] == plain


def test_a_naughty_value_in_an_address_stays_a_part_of_it() -> None:
    """Percent-encoded, and nothing behind it moves."""
    edition = printed(para(Link(f"https://e.org/?q={NAME}&r=1#s", words("x"), at())), fields=FIELDS)
    for value in NAUGHTY:
        html, text, _ = joined(edition, {"name": value})
        (href,) = [each["href"] for tag, each in events(html) if tag == "a" and "e.org" in each["href"]]
        assert re.fullmatch(r"https://e\.org/\?q=[A-Za-z0-9_.~%-]*&r=1#s", href)
        assert href in text


def test_a_picture_is_described_with_a_value() -> None:
    """In the HTML's attribute, and in the text."""
    edition = printed(Figure(picture(), f"Of {NAME}", (), "", 536, at()), fields=FIELDS)
    html, text, _ = joined(edition, {"name": 'Ann "A" O\'Neill'})
    assert 'Of Ann "A" O\'Neill' in [entities.unescape(each) for each in re.findall(r'alt="([^"]*)"', html)]
    assert '[Image: Of Ann "A" O\'Neill]' in text


def test_the_page_has_no_reader_and_no_naughty_value() -> None:
    """Everything on it is the author's; a field shows its default."""
    edition = printed(*PLACES.values(), fields=FIELDS)
    assert edition.web.count("there &amp; “here”") == len([place for place in PLACES if place != "raw MJML"])
    assert "there &amp; “here”" in as_nobody(edition)[0]


def test_numbers_find_their_fields() -> None:
    """The marks of this file are those of its fields."""
    marks = (NAME, LOUD, CODE, COUNT, WORD, DAY, READY, SITE)
    assert [number(found) for each in marks if (found := MARK.match(each))] == list(range(len(FIELDS)))
