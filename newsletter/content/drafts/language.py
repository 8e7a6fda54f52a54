"""The language of a text: by its script, or by its commonest small words."""

from __future__ import annotations

import re
from collections import Counter

_SCRIPTS = (
    ("ar", re.compile("[\u0600-\u06ff\u0750-\u077f]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
)
_PERSIAN = re.compile("[پچژگ]")
_SMALL = {
    "en": "the of and to in is that it was for on with as at by this from are",
    "de": "der die das und nicht ist ein eine zu den mit von im auf dem sich wir auch wird",
    "fr": "le la les des et est une dans que pour qui sur pas au du avec ce",
    "es": "el la los las de y que en un una por con para del se al",
    "it": "il la di che e un una per non sono del della con nel gli le",
    "nl": "de het een en van is dat niet op te zijn voor met die aan",
    "pt": "o a os as de e que um uma para com não do da em no na",
}
_WORD = re.compile(r"[^\W\d_]+")
_ENOUGH = 6


def guess(text: str) -> str:
    """The language that ``text`` seems to be written in; empty when too little speaks for one."""
    sample = text[:20_000]
    letters = len(re.findall(r"[^\W\d_]", sample)) or 1
    for lang, script in _SCRIPTS:
        # Japanese has more ideographs than kana, and no other script stands among foreign letters so often.
        if len(script.findall(sample)) > letters * (0.1 if lang == "ja" else 0.4):
            return "fa" if lang == "ar" and _PERSIAN.search(sample) else lang
    words = Counter(word.lower() for word in _WORD.findall(sample))
    votes = {lang: sum(words[word] for word in small.split()) for lang, small in _SMALL.items()}
    first, second, *_ = sorted(votes, key=lambda lang: -votes[lang])
    return first if votes[first] >= _ENOUGH and votes[first] > votes[second] * 1.3 else ""
