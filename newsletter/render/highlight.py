"""Code in colours: Pygments finds what each piece is, the theme says how that looks, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from newsletter.render.inline import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from newsletter.render.inline import Pen

LONGEST = 20_000
"""Characters; what is longer stays plain, because a mail of it would be clipped in any case."""

_ROLES = (
    ("word", "Keyword Operator.Word Name.Tag Generic.Deleted"),
    ("text", "Literal.String Generic.Inserted"),
    ("number", "Literal.Number Literal.Date Name.Constant"),
    ("name", "Name.Function Name.Class Name.Decorator Name.Attribute Name.Builtin Generic.Heading Generic.Subheading"),
    ("quiet", "Comment Generic.Prompt"),
)
"""What a theme has a colour for, and the kinds of token it is for; the setting is named ``code_word`` and so on."""

_ROLE = {kind: role for role, kinds in _ROLES for kind in kinds.split()}
_SHORT = {role: f"c{role[0]}" if role != "name" else "cf" for role, _ in _ROLES}


def highlighted(text: str, language: str, pen: Pen) -> str:
    """Code as HTML; plain where its language is not known."""
    if not language or len(text) > LONGEST:
        return escape(text)
    parts: list[str] = []
    for role, piece in _merged(_roles(text, language)):
        if not role or not piece.strip():
            parts.append(escape(piece))
        else:
            parts.append(pen.tag("span", escape(piece), css=f"code-{role}", class_=_SHORT[role]))
    return "".join(parts)


def _roles(text: str, language: str) -> list[tuple[str, str]]:
    """Roles and pieces, which make the very text again: some lexers drop a line that has no end, or change one."""
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language.lower(), stripnl=False, ensurenl=False)
    except ClassNotFound:
        return [("", text)]
    found = [(_role(str(kind).removeprefix("Token.")), piece) for kind, piece in lexer.get_tokens(f"{text}\n")]
    whole = "".join(piece for _, piece in found) == f"{text}\n"
    return [*found[:-1], (found[-1][0], found[-1][1][:-1])] if whole else [("", text)]


def _role(kind: str) -> str:
    """The role of a kind of token, or of what it is a kind of."""
    while kind and kind not in _ROLE:
        kind = kind.rpartition(".")[0]
    return _ROLE.get(kind, "")


def _merged(pieces: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Neighbours of one role made one, with the white space between them: each piece costs bytes."""
    last, held = "", ""
    for role, piece in pieces:
        if role == last or not piece.strip():
            held += piece
            continue
        if held:
            yield last, held
        last, held = role, piece
    if held:
        yield last, held
