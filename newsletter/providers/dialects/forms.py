"""Form bodies: ``multipart/form-data`` (RFC 7578) and ``application/x-www-form-urlencoded``, in order."""

from __future__ import annotations

import re
from email.message import Message
from typing import NamedTuple
from urllib.parse import parse_qsl

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{1,70}")
_DISPOSITION = re.compile(rb"content-disposition:[ \t]*form-data(?P<rest>[^\r\n]*)", re.IGNORECASE)
_PARAMETER = re.compile(r';[ \t]*(?P<name>filename|name)="(?P<value>(?:[^"\\]|\\.)*)"', re.IGNORECASE)


class Unreadable(ValueError):
    """The body is not the form that its type promises."""


class Field(NamedTuple):
    """One field; ``file`` when it came with a file name."""

    name: str
    value: str
    file: bool = False


def fields(content_type: str, body: bytes) -> list[Field]:
    """All fields of a body; raises ``Unreadable``."""
    message = Message()
    message["content-type"] = content_type
    kind = message.get_content_type()
    if kind == "multipart/form-data":
        boundary = message.get_param("boundary")
        if not isinstance(boundary, str) or not _BOUNDARY.fullmatch(boundary):
            raise Unreadable("no boundary")
        return _multipart(boundary.encode(), body)
    if kind == "application/x-www-form-urlencoded":
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body), errors="strict")
        except ValueError as error:
            raise Unreadable("not urlencoded") from error
        return [Field(name, value) for name, value in pairs]
    raise Unreadable("not a form")


def _multipart(boundary: bytes, body: bytes) -> list[Field]:
    mark = b"\r\n--" + boundary
    pieces = (b"\r\n" + body).split(mark)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise Unreadable("no closing boundary")
    return [_field(piece) for piece in pieces[1:-1]]


def _field(piece: bytes) -> Field:
    head, blank, value = piece.lstrip(b" \t").removeprefix(b"\r\n").partition(b"\r\n\r\n")
    said = _DISPOSITION.search(head)
    if not blank or said is None:
        raise Unreadable("a part without its name")
    try:
        rest, text = said["rest"].decode(), value.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("not UTF-8") from error
    given = {found["name"].lower(): found["value"] for found in _PARAMETER.finditer(rest)}
    if "name" not in given:
        raise Unreadable("a part without its name")
    return Field(_unquoted(given["name"]), text, "filename" in given)


def _unquoted(name: str) -> str:
    r"""A name as browsers escape it (``%22``), and as older clients do (``\"``)."""
    return re.sub(r"\\(.)", r"\1", name).replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
