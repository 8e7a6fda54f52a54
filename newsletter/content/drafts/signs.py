"""The words by which the parts of an article are told, in the languages that ship."""

from __future__ import annotations

import re

_I = re.IGNORECASE

KICKER = re.compile(
    r"(?:(?:for )?immediate release|press release|news release|media release|pressemitteilung|communiqu[ée] de presse|"
    r"nota de prensa|comunicado de prensa|بيان صحفي)[.:]?", _I,
)  # fmt: skip
"""A line above the headline."""

NOTE = re.compile(
    r"(?P<title>editor[’']?s?[’']? note|note from the editors?|anmerkung der redaktion|hinweis der redaktion|"
    r"redaktioneller hinweis|note de la r[ée]daction|note de l[’']éditeur|nota del editor|nota de la redacci[óo]n|"
    r"ملاحظة (?:ال)?محرر|ملاحظة التحرير|編集部より)(?P<end>\s*(?:[:：.—–-]+|$)\s*)", _I,
)  # fmt: skip
"""How an editor's note begins."""

BYLINE = re.compile(
    r"(?P<by>by|words by|text by|story by|written by|von|text von|par|texte de|por|texto de|di|door|بقلم)"
    r"(?:\s*:\s*|\s+)"
    r"(?P<names>\S.*\S)", _I,
)  # fmt: skip
"""Who wrote it, in a line of its own."""

AND = re.compile(r"\s*,\s*(?:and|und|et|y|e|en)\s+|\s+(?:and|und|et|y|&)\s+|\s*[,،]\s*|\s+و(?=\S)", _I)
"""What stands between two names."""

NAME = re.compile(r"(?:[^\W\d_][^\W\d_.'’-]*\.?(?:[-'’ ]|$)){1,6}")
"""What a name may look like."""

CREDIT = re.compile(
    r"(?:words|text|story|report(?:ing)?|photos?|photographs?|photography|pictures?|images?|illustrations?|graphics?|charts?|"
    r"editing|editors?|edited|translations?|translated|research|design|layout|production|credits?|"
    r"fotos?|fotografien?|bilder?|illustrationen|grafik(?:en)?|redaktion|lektorat|[üu]bersetzung|texte?|recherche|gestaltung|"
    r"photographies?|traduction|r[ée]daction|fotograf[íi]as?|textos?|traducci[óo]n|ilustraci[óo]n(?:es)?|"
    r"نص|صور|تصوير|ترجمة|تحرير|رسوم)(?:\s+(?:by|von|de|par|por|and \w+ by))?\s*[:：]\s*\S.*|"
    r"(?:words|text|story|photos?|photographs?|photography|pictures?|images?|illustrations?|graphics?|charts?|edited|translated|"
    r"designed|produced|fotos?|bilder|illustrationen)\s+(?:by|von|de|par|por)\s+\S.*|"
    r"(?:with )?(?:many )?thanks to\s+\S.*|mit dank an\s+\S.*|merci [àa]\s+\S.*", _I | re.DOTALL,
)  # fmt: skip
"""One line of the credits at the end."""

CREDITS = re.compile(r"(?:credits?|impressum der ausgabe|bildnachweise?|mitwirkende|cr[ée]dits|cr[ée]ditos)\s*:?", _I)
"""The heading above the credits."""

CAPTION = re.compile(r"(?:caption|bildunterschrift|bildtext|l[ée]gende|pie de foto|تعليق)\s*[:：]\s*", _I)
"""How a caption is introduced."""

PHOTO = re.compile(
    r"(?:photo|photograph|photography|picture|image|illustration|credit|foto|bild|grafik|cr[ée]dit|تصوير)s?"
    r"(?:\s*:\s*|\s+(?:by|von|de|par|por)\s+)\S.{0,80}", _I,
)  # fmt: skip
"""Whose picture it is, in a line of its own."""

END = re.compile(r"[.:,;،؛。、…]['\"”’»)\]]*$")
"""How a line ends that is no heading: questions and exclamations may be."""

SENTENCE = re.compile(r"[.!?…。،:;]['\"”’»)\]]*(?:\[\d+\])?(?:\s|$)")
"""The end of a sentence, anywhere in a line."""

PLACE = r"(?:[^\W\d_][^\W\d_.'’-]*[.]?)(?:[ \-’'][^\W\d_][^\W\d_.'’-]*[.]?){0,3}"
DATELINE = re.compile(
    rf"(?P<place>{PLACE}(?:[,،]\s*{PLACE})?)(?P<date>[,،]\s*[^—–]{{4,40}}?)?\s*(?P<dash>—|–|--|(?<=\s)-)\s+(?=\S)"
)
"""A place, perhaps a date, and a dash before the first sentence."""
