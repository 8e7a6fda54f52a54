"""Any text of any script survives in attributes and in text, and no value of an attribute stops the validator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape
from render.helpers_mjml import column, cured, document, faults
from render.helpers_render import events, tags

from newsletter.render.attributes import fault
from newsletter.render.nesting import KNOWN
from newsletter.render.schema import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterable

HARD = (
    "\u00a0",
    "\u00ad",
    "\u200d",
    "\u200c",
    "\u202e",
    "\u094d",
    "\u064e",
    "\u0301",
    "\u2028",
    "👩",
    "🚀",
    "\ufe0f",
    "\\",
    '"',
    "'",
    "<",
    "&",
)
LETTERS = st.characters(exclude_categories=("Cc", "Cs", "Co", "Cn"))
PARTS = st.one_of(LETTERS, st.sampled_from((*HARD, "\\n", "\\u{94d}", "&#10;", "क्ष", "مُ")))
TEXTS = st.lists(PARTS, min_size=1, max_size=30).map("".join)


def only(found: Iterable[dict[str, str]]) -> dict[str, str]:
    """The one element of its kind."""
    (one,) = found
    return one


@given(TEXTS)
def test_text_survives_in_the_attributes_of_tags_and_of_html(text: str) -> None:
    """As a browser reads them: the very same characters."""
    value = escape(text)
    html = cured(
        document(
            column(
                f'<mj-image src="x.png" alt="{value}" title="{value}" />'
                f'<mj-button href="#{value}" title="{value}">x</mj-button>'
                f'<mj-text><p title="{value}">x</p></mj-text>'
                f'<mj-social><mj-social-element src="y.png" href="{value}" alt="{value}" sizes="{value}">x</mj-social-element></mj-social>'
            )
        )
    )
    first, second = tags(html, "img")
    assert (first["alt"], first["title"], second["alt"], second["sizes"]) == (text,) * 4
    assert [(link["href"], link.get("title")) for link in tags(html, "a")] == [
        (f"#{text}", text),
        (text, None),
        (text, None),
    ]
    assert only(tags(html, "p"))["title"] == text


@given(TEXTS)
def test_text_survives_between_tags(text: str) -> None:
    """In a paragraph, on a button, in the title and in the preview."""
    value = escape(f"|{text}|")
    html = cured(
        f"<mjml><mj-head><mj-title>{value}</mj-title><mj-preview>{value}</mj-preview></mj-head><mj-body>"
        f"{column(f'<mj-text><p>{value}</p></mj-text><mj-button>{value}</mj-button>')}</mj-body></mjml>"
    )
    assert sum(data.count(f"|{text}|") for kind, data in events(html) if kind == "text") == 4
    assert tags(html, "div")[0]["aria-label" if "aria-label" in tags(html, "div")[0] else "style"]


@given(st.sampled_from(sorted(ATTRIBUTES)), st.data())
def test_any_value_is_good_or_has_one_fault_with_a_hint(tag: str, data: st.DataObject) -> None:
    """The validator never stops, and never finds fault without a word on what to do."""
    name = data.draw(st.sampled_from([*ATTRIBUTES[tag], "mj-class", "style", "x"]))
    value = data.draw(st.one_of(TEXTS, st.from_regex(r"-?\d{0,3}(\.\d)?(px|%|em|auto)?( \d+px){0,4}", fullmatch=True)))
    found = fault(tag, name, value)
    assert found is None or all(found)


@given(st.sampled_from(sorted(KNOWN)), st.sampled_from(sorted(KNOWN)))
def test_any_tag_in_any_other_is_mail_or_a_fault(outer: str, inner: str) -> None:
    """Nothing of MJML is left in what the reader gets."""
    mjml = document(f"<{outer}><{inner} /></{outer}>")
    if not faults(mjml):
        assert not [kind for kind, _ in events(cured(mjml)) if kind.lstrip("/").startswith("mj-")]
