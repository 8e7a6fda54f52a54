"""The rules of the pre-flight, on editions made by hand."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from newsletter.check.rules import needed_values, needs, preflight
from newsletter.model import (
    Choice,
    Condition,
    Edition,
    Field,
    FieldGap,
    Filter,
    ImageUse,
    LinkUse,
    Mailbox,
    Place,
    Severity,
    Slot,
    Template,
    Variant,
)
from newsletter.personal import mark

if TYPE_CHECKING:
    from support import Workspace

    from newsletter.config import Config

PLACE = Place("index.md")
FOOTER: Template = ("1 Quay Street 20457 Hamburg ", Slot(0, "link"))
UNSUBSCRIBE = Field("unsubscribe_url")
NAME = Field("first_name", (), "{{ first_name }}", Place("index.md", 7, 4))


def edition(
    *, html: Template = FOOTER, text: Template = FOOTER, subject: Template = ("Hello",), **rest: object
) -> Edition:
    """A sound edition, with parts replaced."""
    made = Edition(
        issue_id="x",
        slug="x",
        title="X",
        lang="en",
        sender=Mailbox("A", "a@example.org"),
        reply_to=None,
        date=dt.datetime(2026, 11, 23, tzinfo=dt.UTC),
        fields=(UNSUBSCRIBE, NAME),
        variants=(Variant("", subject, html, text),),
        web="",
        pictures=(),
        preheader=("A first line",),
        links=(),
        images=(),
        places=(("", PLACE), ("subject", Place("index.md", 4, 10))),
    )
    return made._replace(**rest)  # type: ignore[arg-type]


@pytest.fixture
def config(workspace: Workspace) -> Config:
    """A configuration with a postal address."""
    return workspace.config()


def rules(made: Edition, config: Config, gaps: list[FieldGap] | None = None) -> list[tuple[str, str, int]]:
    """Rule, severity and line of each finding."""
    return [(f.rule, f.severity.value, f.place.line) for f in preflight(made, config, gaps)]


def test_a_sound_edition_has_no_finding(config: Config) -> None:
    """Silence means yes."""
    assert rules(edition(), config, []) == []


@pytest.mark.parametrize(
    ("bytes_", "wanted"),
    [(80_000, []), (80_001, ["warning"]), (102_000, ["warning"]), (102_001, ["error"])],
)
def test_the_size_is_held_against_gmail_s_limit(config: Config, bytes_: int, wanted: list[str]) -> None:
    """Counted in bytes of UTF-8, as it is sent."""
    base = len("1 Quay Street 20457 Hamburg http://localhost:8025/u/example")
    made = edition(html=("é" * ((bytes_ - base) // 2) + "x" * ((bytes_ - base) % 2), *FOOTER))
    assert [severity for rule, severity, _ in rules(made, config) if rule == "size"] == wanted


def test_a_picture_without_text_is_found_at_its_place(config: Config) -> None:
    """The author's line, not the mail's."""
    made = edition(images=(ImageUse("a.png", " ", 10, Place("index.md", 9)), ImageUse("b.png", "B", 10, PLACE)))
    assert rules(made, config) == [("alt", "warning", 9)]


def test_heavy_pictures_are_counted_once_each(config: Config) -> None:
    """The same picture twice is loaded once."""
    one = ImageUse("a.png", "A", 600_000, Place("index.md", 3))
    assert rules(edition(images=(one, one)), config) == []
    other = ImageUse("b.png", "B", 500_000, Place("index.md", 5))
    assert rules(edition(images=(one, other)), config) == [("image-weight", "warning", 3)]


@pytest.mark.parametrize(
    ("href", "rule"),
    [
        ("", "link-empty"),
        ("#", "link-empty"),
        ("https://", "link-empty"),
        ("page.html", "link-relative"),
        ("/page", "link-relative"),
        ("//example.org/x", "link-relative"),
        ("www.example.org", "link-relative"),
        ("https://example.org", None),
        ("mailto:a@example.org", None),
        ("tel:+49", None),
        ("#footnote-1", None),
    ],
)
def test_links_lead_somewhere(config: Config, href: str, rule: str | None) -> None:
    """Empty and relative links are errors."""
    found = rules(edition(links=(LinkUse(href, "here", Place("index.md", 5)),)), config)
    assert found == ([(rule, "error", 5)] if rule else [])


def test_the_reader_s_own_unsubscribe_link_may_stand_in_the_text(config: Config) -> None:
    """`[Leave]({{ unsubscribe_url }})` is a whole, trusted address."""
    found = rules(edition(links=(LinkUse(mark(0, 9), "leave", PLACE), LinkUse(mark(1, 9), "x", PLACE))), config)
    assert found == [("link-relative", "error", 1)]


@pytest.mark.parametrize(("provider", "severity"), [("outbox", "warning"), ("mailgun", "error")])
def test_a_mail_that_nobody_can_leave_is_found_in_both_parts(
    workspace: Workspace, provider: str, severity: str
) -> None:
    """A warning for a trial, an error for a real send."""
    workspace.write("newsletter.yaml", (workspace.root / "newsletter.yaml").read_text() + f"provider: {provider}\n")
    made = edition(html=("nothing",), text=("nothing",))
    found = rules(made, workspace.config())
    assert sorted(found) == sorted([("unsubscribe", severity, 1), ("postal-address", severity, 1)] * 2)


def test_a_missing_postal_address_is_found_in_the_configuration(workspace: Workspace) -> None:
    """There, and once."""
    workspace.write("newsletter.yaml", "name: X\nfrom: A <a@example.org>\n")
    (found,) = preflight(edition(), workspace.config())
    assert (found.rule, found.severity) == ("postal-address", Severity.WARNING)
    assert found.place.path.endswith("newsletter.yaml")


def test_a_missing_preheader_is_a_warning(config: Config) -> None:
    """The inbox would show whatever comes first."""
    assert rules(edition(preheader=()), config) == [("preheader", "warning", 1)]


def test_the_subject_is_neither_empty_nor_endless(config: Config) -> None:
    """Counted as a reader without a name sees it."""
    assert rules(edition(subject=(" ",)), config) == [("subject", "error", 4)]
    assert rules(edition(subject=("x" * 71,)), config) == [("subject", "warning", 4)]


def test_a_value_that_nobody_has_is_an_error_at_its_field(config: Config) -> None:
    """Unless the field has a default, or nobody is there to ask."""
    made = edition(html=(*FOOTER, Slot(1, "html")))
    assert needed_values(made) == ("first_name",)
    assert rules(made, config, [FieldGap("first_name", 9, 9)]) == [("value-unknown", "error", 7)]
    assert rules(made, config, [FieldGap("first_name", 2, 9)]) == [("value-empty", "warning", 7)]
    assert rules(made, config, [FieldGap("first_name", 0, 9)]) == []
    assert rules(made, config, [FieldGap("first_name", 0, 0)]) == [("value-unknown", "warning", 7)]
    assert rules(made, config, None) == []


def test_a_field_with_a_default_needs_no_value(config: Config) -> None:
    """But a name that nobody has may be misspelt; one that no part uses is nobody's business."""
    made = edition(
        fields=(UNSUBSCRIBE, NAME._replace(filters=(Filter("default", ("you",)),))), html=(*FOOTER, Slot(1, "html"))
    )
    assert needed_values(made) == ("first_name",)
    assert needed_values(edition()) == ()
    assert rules(made, config, [FieldGap("first_name", 9, 9)]) == [("value-unknown", "warning", 7)]
    assert rules(made, config, [FieldGap("first_name", 8, 9)]) == []
    assert rules(made, config, [FieldGap("first_name", 0, 0)]) == []


# -- variants -------------------------------------------------------------------------

PLAN = Choice("pro", Condition("==", "plan", ("pro",)), place=Place("index.md", 9))
SITE = Field("site", (Filter("link"),), "{{ site }}", Place("index.md", 11, 5))


def several(html: Template = FOOTER, text: Template = FOOTER, **rest: object) -> Edition:
    """An edition of two variants; the second one has these parts."""
    variants = (Variant("others", ("Hello",), FOOTER, FOOTER), Variant("pro", ("Hello",), html, text))
    return edition(**{"fields": (UNSUBSCRIBE, NAME, SITE), "variants": variants, "choices": (PLAN,), **rest})  # type: ignore[arg-type]


def test_a_finding_names_the_variant_that_it_is_about(config: Config) -> None:
    """Where only some readers get what is found."""
    heavy = (
        ImageUse("big.png", "A", 900_000, Place("index.md", 5)),
        ImageUse("b.png", "B", 900_000, Place("index.md", 6)),
    )
    made = several((*FOOTER, "<img src=big.png><img src=b.png>", "x" * 90_000), ("1 Quay Street",), images=heavy)
    found = [(finding.rule, finding.message) for finding in preflight(made, config, [])]
    assert [rule for rule, _ in found] == ["postal-address", "size", "unsubscribe", "image-weight"]
    assert all("variant “pro”" in message for _, message in found)


def test_the_same_finding_in_every_variant_is_one(config: Config) -> None:
    """The subject is that of all of them."""
    made = several()
    variants = tuple(variant._replace(subject=("x" * 90,)) for variant in made.variants)
    assert rules(made._replace(variants=variants), config, []) == [("subject", "warning", 4)]


def test_only_those_who_get_a_part_can_lack_its_values(config: Config) -> None:
    """What a reader's mail asks for is asked of the variant; what decides may be missing."""
    made = several((*FOOTER, Slot(1, "html")))
    assert needed_values(made) == ("first_name", "plan")
    ask = needs(made)
    assert ask({"plan": "free"}) == {("plan", True)}
    assert ask({"plan": "pro"}) == {("plan", True), ("first_name", False)}
    assert rules(made, config, [FieldGap("plan", 1, 9, fallback=True)]) == []
    (found,) = preflight(made, config, [FieldGap("first_name", 1, 3), FieldGap("plan", 1, 9, fallback=True)])
    assert found.message == "1 of 3 subscribers who get this have no value for “first_name”"


def test_a_condition_on_what_nobody_has_is_told_at_its_place(config: Config) -> None:
    """Most often the name is misspelt."""
    (found,) = preflight(several(), config, [FieldGap("plan", 9, 9, fallback=True)])
    assert (found.rule, found.severity, found.place) == ("value-unknown", Severity.WARNING, Place("index.md", 9))
    assert found.message == "no subscriber has a value for “plan”, which decides who gets this part"


def test_a_whole_address_is_no_relative_link(config: Config) -> None:
    """But whoever has none gets no mail, and that is said."""
    made = several((*FOOTER, Slot(2, "link")), links=(LinkUse(mark(2, 9), "site", Place("index.md", 11)),))
    (found,) = preflight(made, config, [FieldGap("site", 1, 3)])
    assert found.message.endswith("have no value for “site”; they get no mail, for a link needs an address")
