"""What the public reads: the page of an issue, and the index."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from render.helpers_render import (
    CODE,
    FIELDS,
    NAME,
    at,
    body_text,
    config,
    default_theme,
    events,
    issue,
    link,
    para,
    picture,
    tags,
    words,
)

from newsletter.errors import BadInput
from newsletter.model import Figure, Footnote, Link, NoteRef, Only, Published
from newsletter.personal import mark
from newsletter.render.publication import address, index, page

if TYPE_CHECKING:
    from newsletter.errors import Problem
    from newsletter.model import Block, Page
    from newsletter.render.theme import Theme

PLACED = tuple(each._replace(place=at(20 + number)) for number, each in enumerate(FIELDS))
"""The same fields with places: ``first_name`` has a default, ``code`` has none."""


def made(*blocks: Block, theme: Theme | None = None, slug: str = "hello", url: str = "", **changes: Any) -> Page:
    """The page of an issue of these blocks."""
    settings = config(public_url=url)
    return page(issue(*blocks, **{"fields": PLACED, **changes}), theme or default_theme(), settings, slug)


def refused(*blocks: Block, **changes: Any) -> tuple[Problem, ...]:
    """What is reported instead of a page."""
    with pytest.raises(BadInput) as caught:
        made(*blocks, **changes)
    return caught.value.problems


def canonical(html: str) -> list[str]:
    """The addresses that a page says it has."""
    return [each["href"] for each in tags(html, "link") if each.get("rel") == "canonical"]


def with_template(name: str, text: str) -> Theme:
    """The default theme with another template."""
    theme = default_theme()
    return theme._replace(sources={**theme.sources, name: (text, f"templates/mine/{name}")})


# -- the page -------------------------------------------------------------------------


def test_pictures_and_the_index_lie_beside_the_page_s_folder() -> None:
    """Relative, so that the archive may be put anywhere."""
    found = made(Figure(picture(), "cranes", (), "", 536, at()), pictures=(picture(),))
    assert tags(found.html, "img")[0]["src"] == "../images/harbour.png"
    assert [each["href"] for each in tags(found.html, "a")] == ["../"]
    assert found.pictures == (picture(),)


def test_a_page_says_where_it_is_found() -> None:
    """The author's own address before ours; none where nobody knows it."""
    url = "https://letters.example.org/a"
    assert canonical(made(url=url).html) == ["https://example.org/hello"]
    assert canonical(made(url=url, canonical_url="", slug="日本 ü").html) == [f"{url}/%E6%97%A5%E6%9C%AC%20%C3%BC/"]
    assert canonical(made(canonical_url="").html) == []
    assert address(config(assets_url="https://static.example.org"), "a") == "https://static.example.org/a/"


@pytest.mark.parametrize(
    "blocks",
    [
        (para("Hi ", CODE),),
        (para(link(f"https://example.org/?c={CODE}")),),
        (para(NoteRef(1)),),
        (Only("web", (para(CODE),), at()),),
    ],
    ids=["text", "address", "footnote", "web-only"],
)
def test_a_field_without_a_default_is_an_error_at_its_place(blocks: tuple[Block, ...]) -> None:
    """Wherever it stands on the page, with what to do."""
    (problem,) = refused(*blocks, footnotes=(Footnote(1, (para("see ", CODE),), 1),))
    assert problem.place == at(21)
    assert "“code” has no value on the web page" in problem.message
    assert '{{ code | default("…") }}' in problem.hint
    assert "::: email-only" in problem.hint


def test_every_such_field_is_named_at_once() -> None:
    """In the order of the author's file."""
    fields = (*PLACED, PLACED[1]._replace(place=at(5)))
    found = refused(para(CODE, " and ", mark(2, 3)), fields=fields)
    assert [each.place for each in found] == [at(5), at(21)]


def test_what_the_page_does_not_show_needs_no_default() -> None:
    """Parts for the mail only, the subject, and the preheader, which is the mail's too."""
    found = made(Only("email", (para(CODE),), at()), para(NAME), subject=CODE, preheader=CODE)
    assert "there" in body_text(found.html)
    assert {"name": "description", "content": "A day on the quay."} in tags(found.html, "meta")
    assert found.about.dek == "A day on the quay."


def test_an_empty_default_is_a_default() -> None:
    """The author wants nothing there."""
    empty = FIELDS[0]._replace(filters=(FIELDS[0].filters[0]._replace(args=("",)),))
    assert "Dear ." in body_text(made(para("Dear ", NAME, "."), fields=(empty,)).html)


@pytest.mark.parametrize("name", ["unsubscribe_url", "view_url"])
def test_a_reader_s_own_link_is_an_error(name: str) -> None:
    """A default does not help: there is nobody whose link it could be."""
    own = FIELDS[0]._replace(name=name, place=at(30))
    (problem,) = refused(para(Link(mark(0, 3), words("leave"), at())), fields=(own,), subject="x")
    assert problem.place == at(30)
    assert f"“{name}” is each reader's own" in problem.message
    assert "email-only" in problem.hint


def test_a_theme_whose_page_prints_a_reader_s_link_is_named() -> None:
    """Its mail may; a page that asks first whether there is such a link is fine."""
    name = "web/page.html.j2"
    (problem,) = refused(theme=with_template(name, '\n<a href="{{ unsubscribe_url }}">Leave</a>'))
    assert (str(problem.place), "unsubscribe_url" in problem.message) == (f"templates/mine/{name}:2:1", True)
    assert made(theme=with_template(name, "{% if view_url is defined %}x{% endif %}.")).html == "."


def test_what_a_page_is_known_by() -> None:
    """The dek in plain words, else the preheader as nobody reads it."""
    about = made(preheader=f"{NAME}, a letter", dek=()).about
    assert about.dek == "there, a letter"
    assert about[:4] == ("hello-0001", "hello", "12", "What the harbour keeps")
    assert about.date == issue().date


# -- the index ------------------------------------------------------------------------

LISTED = (
    Published("c", "c", "3", "<b>Bold</b> & “c”", '"', "en", dt.datetime(2026, 11, 23, tzinfo=dt.UTC)),
    Published("b", "ä b?#", "Sonderheft", "Brücken", "Über Brücken", "de", dt.datetime(2026, 3, 1, tzinfo=dt.UTC)),
    Published("a", "a", "", "رسالة", "", "ar", dt.datetime(2025, 12, 31, 23, 30, tzinfo=dt.UTC)),
)


def listed(theme: Theme | None = None, **changes: Any) -> str:
    """The index of three issues."""
    return index(LISTED, theme or default_theme(), config(**changes))


def test_the_index_lists_issues_in_their_own_languages() -> None:
    """Number and date as in the issue, its language and direction named where they differ; the order is kept."""
    html = listed()
    assert [each["href"] for each in tags(html, "a")] == ["c/", "%C3%A4%20b%3F%23/", "a/"]
    assert [each["datetime"] for each in tags(html, "time")] == ["2026-11-23", "2026-03-01", "2025-12-31"]
    assert tags(html, "article") == [{}, {"lang": "de", "dir": "ltr"}, {"lang": "ar", "dir": "rtl"}]
    text = body_text(html)
    for said in ("Issue 3 · 23 November 2026", "Sonderheft · 1. März 2026 Brücken Über Brücken", "رسالة"):
        assert said in text


def test_nothing_in_the_list_becomes_markup() -> None:
    """Titles are text."""
    assert "<b>Bold" not in listed()
    assert "<b>Bold</b> & “c”" in body_text(listed())


def test_the_index_says_what_it_is() -> None:
    """Language, title, description, its address; no script, nothing from elsewhere."""
    html = listed(lang="de", name="Brief & Co", public_url="https://letters.example.org")
    assert tags(html, "html") == [{"lang": "de", "dir": "ltr"}]
    assert "<title>Alle Ausgaben – Brief &amp; Co</title>" in html
    assert {"name": "description", "content": "Alle Ausgaben von „Brief & Co“."} in tags(html, "meta")
    assert canonical(html) == ["https://letters.example.org/"]
    assert canonical(listed(public_url="")) == []
    assert not {"script", "img", "iframe"} & {kind for kind, _ in events(html)}
    assert "1 Quay Street" in body_text(html)


def test_a_theme_may_have_an_index_of_its_own() -> None:
    """In the same language of templates, checked as all are."""
    name = "web/index.html.j2"
    assert listed(with_template(name, "{{ issues | length }}: {{ name }}")) == "3: The Harbour Letter"
    with pytest.raises(BadInput, match=f"templates/mine/{name}:2:1: .*'nope' is undefined"):
        listed(with_template(name, "\n{{ nope }}"))
