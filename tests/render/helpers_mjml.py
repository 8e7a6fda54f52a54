"""What the tests of MJML share: the bare engine, the cured one, and what is found wrong in a document."""

from __future__ import annotations

from mjml import mjml2html

from newsletter.errors import BadInput, Problem
from newsletter.render.markup import Element, Origin, parse
from newsletter.render.mjml import compile_document

PATH = "layout.mjml.j2"


def engine(mjml: str) -> str:
    """What the bare engine makes of MJML."""
    html: str = mjml2html(mjml, disable_comments=True, fonts={})
    return html


def document(inside: str, head: str = "", root: str = 'lang="en" dir="ltr"') -> str:
    """A whole document around sections."""
    return f"<mjml {root}><mj-head><mj-title>T</mj-title>{head}</mj-head><mj-body>{inside}</mj-body></mjml>"


def column(inside: str) -> str:
    """A section with one column around something."""
    return f"<mj-section><mj-column>{inside}</mj-column></mj-section>"


def tree(mjml: str) -> Element:
    """A parsed document."""
    root = next(each for each in parse(mjml, Origin(PATH, mjml, verbatim=True)) if isinstance(each, Element))
    assert isinstance(root, Element)
    return root


def cured(mjml: str) -> str:
    """What comes out when the normaliser stands before the engine."""
    return compile_document(tree(mjml))


def faults(mjml: str) -> list[Problem]:
    """What is found wrong in a document before the engine sees it."""
    try:
        compile_document(tree(mjml))
    except BadInput as error:
        return list(error.problems)
    return []
