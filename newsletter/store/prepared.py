"""Statements that run many times a second: written in SQLAlchemy Core, compiled once, and run by the driver itself.

SQLAlchemy's own way to run a statement takes ten times as long as the statement. What is lost with it are types:
truth values come back as the database keeps them, and rows are plain tuples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import BindParameter, Connection
    from sqlalchemy.sql.expression import ClauseElement

_ABSENT = "(absent)"


def named(name: str) -> BindParameter[Any]:
    """A parameter that every run has to give."""
    return bindparam(name, _ABSENT)


class Prepared:
    """One statement with ``named`` parameters; in an ``UPDATE`` or ``INSERT`` all other names are columns to set."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[tuple[str, ...], tuple[str, list[tuple[bool, Any]]]] = {}

    def one(self, connection: Connection, given: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The first row, or ``None``."""
        row: tuple[Any, ...] | None = self._run(connection, given).fetchone()
        return row

    def run(self, connection: Connection, given: Mapping[str, Any]) -> int:
        """Run it; how many rows it changed."""
        return int(self._run(connection, given).rowcount)

    def _run(self, connection: Connection, given: Mapping[str, Any]) -> Any:
        sql, parts = self._text(connection, tuple(given))
        cursor = connection.connection.cursor()
        cursor.execute(sql, [given[part] if is_name else part for is_name, part in parts])
        return cursor

    def _text(self, connection: Connection, names: tuple[str, ...]) -> tuple[str, list[tuple[bool, Any]]]:
        if names not in self._compiled:
            self._compiled[names] = self._compile(connection, names)
        return self._compiled[names]

    def _compile(self, connection: Connection, names: tuple[str, ...]) -> tuple[str, list[tuple[bool, Any]]]:
        """The text for this driver, and its parameters in order: names, and the statement's own constants."""
        how = {"render_postcompile": True}
        made: Any = self._statement.compile(dialect=connection.dialect, column_keys=names, compile_kwargs=how)
        parts = [(True, name) if name in names else (False, made.params[name]) for name in made.positiontup]
        if (False, _ABSENT) in parts or len(names) > len(made.positiontup):
            message = f"these are not the statement's parameters: {names}"
            raise TypeError(message)
        return str(made), parts
