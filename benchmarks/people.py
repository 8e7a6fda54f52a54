"""Generate people: a CSV of any size, the same for the same number on every machine."""

from __future__ import annotations

import argparse
import csv
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST = [
    "Ada",
    "Amir",
    "Ana",
    "Bao",
    "Carla",
    "Chidi",
    "Dana",
    "Elif",
    "Emil",
    "Fatima",
    "Goran",
    "Hana",
    "Ines",
    "Ivo",
    "Jonas",
    "Kofi",
    "Lena",
    "Luis",
    "Mara",
    "Mei",
    "Nadia",
    "Noor",
    "Olga",
    "Pablo",
    "Quinn",
    "Rosa",
    "Sami",
    "Tariq",
    "Uma",
    "Viktor",
    "Wren",
    "Yusuf",
    "Zoë",
    "Åsa",
    "Émile",
    "José",
    "Søren",
    "Zofia",
    "Łukasz",
    "Παύλος",
    "Мария",
    "محمد",
    "美咲",
]
LAST = [
    "Abara",
    "Berg",
    "Costa",
    "Dahl",
    "Evans",
    "Ferrari",
    "García",
    "Haddad",
    "Ito",
    "Jensen",
    "Kaya",
    "Lindqvist",
    "Moreau",
    "Novak",
    "Okafor",
    "Petrov",
    "Quint",
    "Rossi",
    "Silva",
    "Tanaka",
    "Unger",
    "Vogel",
    "Walker",
    "Xu",
    "Yilmaz",
    "Zhang",
]
CITIES = ["Lisbon", "Hamburg", "Oslo", "Lagos", "Kyoto", "Quebec", "Valparaíso", "Auckland", "Bristol", "Gdańsk"]


def rows(number: int) -> Iterator[tuple[str, str, str, str]]:
    """Address, first name (every ninth empty), last name, city."""
    for index in range(number):
        first = FIRST[index % len(FIRST)] if index % 9 != 8 else ""
        last = LAST[(index + index // len(FIRST)) % len(LAST)]
        yield f"reader{index:07d}@example.org", first, last, CITIES[index % len(CITIES)]


def write(number: int, file: TextIO) -> None:
    """Write the whole table with its header."""
    writer = csv.writer(file)
    writer.writerow(("email", "first name", "last name", "city"))
    writer.writerows(rows(number))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", type=int)
    write(parser.parse_args().number, sys.stdout)
