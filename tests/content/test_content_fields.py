"""Merge fields in the author's text: where they are fields, where they are literal, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from content.helpers_content import faults, outline, photo, read, shown, wrong
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.expression import NotAField, parse
from newsletter.content.fields import Fields
from newsletter.content.issue import load_issue
from newsletter.content.source import Source
from newsletter.model import Code, CodeBlock, Filter, Heading, Link, Paragraph, RawHtml, RawMjml, Styled, Table, Text
from newsletter.personal import FILTERS, MARK

if TYPE_CHECKING:
    from support import Workspace

    from newsletter.model import Inlines, Issue


def words(workspace: Workspace, body: str, **front: str) -> tuple[Issue, Inlines]:
    """An issue and the inline content of its first paragraph."""
    issue = read(workspace, body, **front)
    block = issue.blocks[0]
    assert isinstance(block, Paragraph)
    return issue, block.children


def test_a_field_is_lifted_and_keeps_its_place(workspace: Workspace) -> None:
    """Name, filters, source and position are the author's."""
    issue, inlines = words(workspace, 'Dear {{ first_name | default("you") | upper }},\n')
    assert [shown(each.text, issue) for each in inlines if isinstance(each, Text)] == [
        'Dear ⟨{{ first_name | default("you") | upper }}⟩,'
    ]
    (field,) = issue.fields
    assert (field.name, field.filters) == ("first_name", (Filter("default", ("you",)), Filter("upper")))
    assert field.place
    assert (field.place.line, field.place.col) == (7, 6)


def test_emphasis_and_quotes_work_around_a_field(workspace: Workspace) -> None:
    """A mark behaves like a word."""
    issue, inlines = words(workspace, '**{{ a }}**\'s "{{ b }}" and *{{ c }} d* and _{{ e }}_, ~~{{ f }}~~\n')
    styles = [
        (each.style, shown(each.children[0].text, issue))
        for each in inlines
        if isinstance(each, Styled) and isinstance(each.children[0], Text)
    ]
    assert styles == [("strong", "⟨{{ a }}⟩"), ("em", "⟨{{ c }}⟩ d"), ("em", "⟨{{ e }}⟩"), ("s", "⟨{{ f }}⟩")]
    assert isinstance(inlines[1], Text)
    assert shown(inlines[1].text, issue) == "’s “⟨{{ b }}⟩” and "


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("`{{ name }}`", Code("{{ name }}")),
        ("`` {{ 7*7 }} {{ ``", Code("{{ 7*7 }} {{")),
        (r"`\{{ name }}`", Code(r"\{{ name }}")),
    ],
)
def test_code_is_literal(workspace: Workspace, body: str, expected: Code) -> None:
    """Whatever stands in code spans, also what would be no field."""
    issue, inlines = words(workspace, body)
    assert (inlines, issue.fields) == ((expected,), ())


def test_code_blocks_are_literal(workspace: Workspace) -> None:
    """Fenced and indented."""
    issue = read(workspace, "```{{ a }} x\n{{ name }} {{ 7*7 }} {{\n```\n\n    \\{{ b }} {{ c }}\n")
    blocks = [(b.text, b.language) for b in issue.blocks if isinstance(b, CodeBlock)]
    assert blocks == [("{{ name }} {{ 7*7 }} {{", "{{"), (r"\{{ b }} {{ c }}", "")]
    assert issue.fields == ()


def test_a_backslash_makes_plain_braces(workspace: Workspace) -> None:
    """The rest of what would have been a field is plain, too; two backslashes are one, before a field."""
    issue, inlines = words(workspace, "\\{{ name }} and \\\\{{ x }} and \\{{7*7}}\n")
    assert [shown(each.text, issue) for each in inlines if isinstance(each, Text)] == [
        "{{ name }} and \\⟨{{ x }}⟩ and {{7*7}}"
    ]


def test_a_bar_in_a_field_does_not_split_a_cell(workspace: Workspace) -> None:
    """The field is lifted before the table is read."""
    issue = read(workspace, '| a | b |\n|---|---|\n| {{ x | default("1 | 2") }} | c |\n')
    (table,) = issue.blocks
    assert isinstance(table, Table)
    assert len(table.rows[0]) == 2
    assert issue.fields[0].default == "1 | 2"


def test_braces_and_quotes_may_stand_in_a_default(workspace: Workspace) -> None:
    """The end of a field is looked for outside quotes."""
    issue, _ = words(workspace, "{{ a | default(\"}}\") }} {{ b | default('it\\'s') }} {{ c | default(\"it's\") }}\n")
    assert [field.default for field in issue.fields] == ["}}", "it's", "it's"]


def test_fields_stand_in_a_link_s_path_query_and_fragment(workspace: Workspace) -> None:
    """What is around them is percent-encoded, they are not."""
    body = "[a](https://example.org/é/{{ a }}/ü?q={{ b }}#{{ c }}) [m](mailto:{{ email }}) <https://example.org/?{{ d }}> [r][r]\n\n[r]: https://example.org/{{ e }} 'T {{ f }}'\n"
    issue, inlines = words(workspace, body)
    links = [each for each in inlines if isinstance(each, Link)]
    assert [shown(link.href, issue) for link in links] == [
        "https://example.org/%C3%A9/⟨{{ a }}⟩/%C3%BC?q=⟨{{ b }}⟩#⟨{{ c }}⟩",
        "mailto:⟨{{ email }}⟩",
        "https://example.org/?⟨{{ d }}⟩",
        "https://example.org/⟨{{ e }}⟩",
    ]
    assert shown(links[3].title, issue) == "T ⟨{{ f }}⟩"


def test_a_reserved_link_is_a_whole_address(workspace: Workspace) -> None:
    """Its value is a URL of ours."""
    issue, inlines = words(workspace, "[leave]({{ unsubscribe_url }}) or [view]({{ view_url }})\n")
    assert [shown(each.href, issue) for each in inlines if isinstance(each, Link)] == [
        "⟨{{ unsubscribe_url }}⟩",
        "⟨{{ view_url }}⟩",
    ]


def test_a_field_alone_is_a_whole_address(workspace: Workspace) -> None:
    """Its value is checked by a filter of ours, which the same field as a text does not have."""
    issue, inlines = words(workspace, '[a]({{ site }}) {{ site }} [b]({{ b | default("https://example.org/b") }})\n')
    assert [shown(each.href, issue) for each in inlines if isinstance(each, Link)] == [
        "⟨{{ site }}⟩",
        '⟨{{ b | default("https://example.org/b") }}⟩',
    ]
    assert [[each.name for each in field.filters] for field in issue.fields] == [["link"], [], ["default", "link"]]


def test_a_link_that_is_used_twice_is_checked_once(workspace: Workspace) -> None:
    """By a reference, the same field comes again."""
    issue = read(workspace, "[a][r] [b][r]\n\n[r]: {{ site }}\n")
    assert [field.filters for field in issue.fields] == [(Filter("link"),)]


def test_plural_takes_the_words_that_a_language_needs(workspace: Workspace) -> None:
    """One in Japanese, three in Polish (or four with that of fractions), six in Arabic."""
    for lang, count in {"ja": 1, "en": 2, "fr": 2, "cs": 3, "pl": 3, "ru": 4, "ar": 6}.items():
        forms = ", ".join(f'"{number}"' for number in range(count))
        assert read(workspace, f"{{{{ days | plural({forms}) }}}}\n", lang=lang).fields
    hints = [problem.hint for problem in faults(workspace, workspace.issue('{{ n | plural("a") }}', lang="pl"))]
    assert hints == ['Write a word for each: {{ n | plural("…one…", "…few…", "…many…") }}']


def test_encoded_data_is_not_encoded_once_more(workspace: Workspace) -> None:
    """In a link, ``urlencode`` changes nothing; in a text it does."""
    workspace.write("issues/2026-11-23-hello/d.yaml", "q: a b\n")
    workspace.issue("{{ data.q | urlencode }} [q](https://example.org/?{{ data.q | urlencode }})\n", data="d.yaml")
    (block,) = load_issue(workspace.root / "issues/2026-11-23-hello", workspace.config()).blocks
    assert isinstance(block, Paragraph)
    text, link = block.children
    assert text == Text("a%20b ")
    assert isinstance(link, Link)
    assert link.href == "https://example.org/?a%20b"


def test_fields_in_html_and_mjml_stand_in_text(workspace: Workspace) -> None:
    """Inside a tag they are refused."""
    issue = read(workspace, '<div>{{ a }} \\{{</div>\n\n::: mjml\n<mj-text>{{ b | default("<") }}</mj-text>\n:::\n')
    html, mjml = issue.blocks
    assert isinstance(html, RawHtml)
    assert isinstance(mjml, RawMjml)
    assert shown(html.html, issue) == "<div>⟨{{ a }}⟩ {{</div>"
    assert shown(mjml.source, issue) == '<mj-text>⟨{{ b | default("<") }}⟩</mj-text>\n'


def test_fields_stand_in_every_text_of_a_container_and_picture(workspace: Workspace) -> None:
    """Titles, sources, credits, captions, descriptions; a heading's anchor goes without."""
    workspace.write("issues/2026-11-23-hello/a.jpg", photo(40, 40))
    body = """\
## For {{ a }} only

::: note For {{ b }}
:::

::: quote {source="{{ c }}, {{ d | default('x') }}"}
:::

::: figure {credit="{{ e }}"}
![Of {{ f }}](a.jpg "By *{{ g }}*")
:::

:::: cards
::: card {title="{{ h }}" kicker={{i}} alt="{{ j }}" href="https://example.org/{{ k }}"}
:::
::::

::: sponsor {name="{{ l }}"}
:::

::: video {title="{{ m }}" href="https://example.org/?{{ n }}" poster="a.jpg"}
:::
"""
    issue = read(workspace, body)
    heading = issue.blocks[0]
    assert isinstance(heading, Heading)
    assert heading.anchor == "for-only"
    found = {field.name: (field.place.line - 6, field.place.col) for field in issue.fields if field.place}
    assert found == {
        "a": (1, 8),
        "b": (3, 14),
        "c": (6, 20),
        "d": (6, 29),
        "e": (9, 21),
        "f": (10, 6),
        "g": (10, 26),
        "h": (14, 18),
        "i": (14, 34),
        "j": (14, 45),
        "k": (14, 80),
        "l": (18, 20),
        "m": (21, 19),
        "n": (21, 55),
    }
    assert repr(outline(issue.blocks)).count("U000f0000") == len(found)


BAD = {
    "arithmetic": ("a {{7*7}} b", ["1:3 “{{7*7}}” is not a merge field: only a name and filters can stand in one"]),
    "call": ("{{ f() }}", ["1:1 “{{ f() }}” is not a merge field: only a name and filters can stand in one"]),
    "attribute": (
        "{{ person.name }}",
        ["1:1 “{{ person.name }}” is not a merge field: only a name and filters can stand in one"],
    ),
    "subscript": ("{{ a[0] }}", ["1:1 “{{ a[0] }}” is not a merge field: only a name and filters can stand in one"]),
    "condition": (
        "{{ a if b }}",
        ["1:1 “{{ a if b }}” is not a merge field: only a name and filters can stand in one"],
    ),
    "constant": ("{{ true }}", ["1:1 “{{ true }}” is not a merge field: only a name and filters can stand in one"]),
    "whitespace control": ("{{- a -}}", ["1:1 “{{- a -}}” is not a merge field"]),
    "empty": ("{{ }}", ["1:1 “{{ }}” is not a merge field"]),
    "two": ("{{ a, b }}", ["1:1 “{{ a, b }}” is not a merge field: only a name and filters can stand in one"]),
    "brackets": ("{{" + "(" * 120 + "}}", ["1:1 “{{" + "(" * 120 + "}}” is not a merge field"]),
    "too long": ("{{ " + "a" * 400 + " }}", ["1:1 a merge field is at most 300 characters long"]),
    "name": ("Hi {{ FirstName }}", ["1:4 “FirstName” is not a field's name"]),
    "the data itself": ("{{ data }}", ["1:1 “data” holds the issue's data, not a value"]),
    "no data": ("{{ data.x }}", ["1:1 the issue's data has no key “x”"]),
    "unknown filter": ('{{ a | defualt("x") }}', ["1:1 unknown filter “defualt”"]),
    "no argument": ("{{ a | default }}", ["1:1 the filter “default” takes one text"]),
    "two arguments": ('{{ a | default("x", "y") }}', ["1:1 the filter “default” takes one text"]),
    "named argument": ('{{ a | default(value="x") }}', ["1:1 the filter “default” takes one text"]),
    "a number": ("{{ a | default(5) }}", ["1:1 the filter “default” takes a quoted text"]),
    "an argument too many": ('{{ a | upper("x") }}', ["1:1 the filter “upper” takes nothing in brackets"]),
    "default that is no date": (
        '{{ a | default("soon") | date("d MMMM") }}',
        ['1:1 {{ a | default("soon") | date("d MMMM") }} cannot be shown: a is not an ISO date such as 2026-11-23'],
    ),
    "pattern": (
        '{{ a | date("MMMMMMMMM") }}',
        ["1:1 {{ a | date(\"MMMMMMMMM\") }} cannot be shown: Invalid length for field: 'MMMMMMMMM'"],
    ),
    "number with an argument": ("{{ a | number(2) }}", ["1:1 the filter “number” takes nothing in brackets"]),
    "plural without words": ("{{ a | plural }}", ["1:1 the filter “plural” takes 1 to 6 texts"]),
    "plural of a number": ('{{ a | plural(1, "days") }}', ["1:1 the filter “plural” takes a quoted text"]),
    "too few words": ('{{ a | plural("day") }}', ["1:1 “plural” takes 2 in the language “en”: one, other"]),
    "too many words": (
        '{{ a | plural("a", "b", "c") }}',
        ["1:1 “plural” takes 2 in the language “en”: one, other"],
    ),
    "number of a number": (
        '{{ a | number | plural("day", "days") }}',
        ['1:1 {{ a | number | plural("day", "days") }} cannot be shown: a is not a number such as 1234.5'],
    ),
    "default that is no number": (
        '{{ a | default("none") | number }}',
        ['1:1 {{ a | default("none") | number }} cannot be shown: a is not a number such as 1234.5'],
    ),
    "urlencode before another": ('{{ a | urlencode | default("b c") }}', ["1:1 “urlencode” comes last"]),
    "control character": ('{{ a | default("x\\x07") }}', ["1:1 the text of “default” holds a control character"]),
    "surrogate": ('{{ a | default("\\ud800") }}', ["1:1 the text of “default” holds a control character"]),
    "forged mark": ('{{ a | default("\\U000f0000") }}', ["1:1 the text of “default” holds a control character"]),
    "never closed": ("Dear {{ first_name,\nhello", ["1:6 this {{ is never closed on its line"]),
    "closed on the next line": ("Dear {{ first_name\n}}, hello", ["1:6 this {{ is never closed on its line"]),
    "open, then closed": ("a {{ b {{ c }}", ["1:3 this {{ is never closed on its line"]),
    "in a picture": ("![a]({{ b }}.jpg)", ["1:6 a merge field may not stand in a picture's file name"]),
    "scheme": ("[a]({{ b }}://example.org)", ["1:5 a merge field may not stand in a link's scheme or host"]),
    "whole link with a default that is none": (
        '[a]({{ b | default("soon") }})',
        ['1:5 {{ b | default("soon") }} cannot be shown: b is no address for a link: http, https, mailto or tel'],
    ),
    "whole link and more": ("[a]({{ b }}/c)", ["1:5 a merge field may not stand in a link's scheme or host"]),
    "host": ("[a](https://{{ b }}/c)", ["1:13 a merge field may not stand in a link's scheme or host"]),
    "end of host": (
        "[a](https://example.org{{ b }}/c)",
        ["1:24 a merge field may not stand in a link's scheme or host"],
    ),
    "port": ("[a](https://example.org:{{ b }}/c)", ["1:25 a merge field may not stand in a link's scheme or host"]),
    "backslash host": (
        "[a](https://example.org\\\\{{ b }})",
        ["1:26 a merge field may not stand in a link's scheme or host"],
    ),
    "host without scheme": ("[a](//{{ b }}/c)", ["1:7 a merge field may not stand in a link's scheme or host"]),
    "part of a link": (
        "[a](https://example.org/?u={{ view_url }})",
        ["1:28 this field is a whole link and may not be a part of one"],
    ),
    "link and more": (
        "[a]({{ unsubscribe_url }}?x=1)",
        ["1:5 this field is a whole link and may not be a part of one"],
    ),
    "width": (
        "::: figure {width={{ w }}}\n![a](b.jpg)\n:::",
        ["1:19 a merge field may not stand in the option “width”"],
    ),
    "card's picture": (
        ':::: cards\n::: card {title="A" image="{{ i }}"}\n:::\n::::',
        ["2:28 a merge field may not stand in the option “image”"],
    ),
    "social": (
        '::: social {x="https://example.org/{{ i }}"}\n:::',
        ["1:36 a merge field may not stand in the option “x”"],
    ),
    "HTML tag": ('<div title="{{ a }}">b</div>', ["1:13 a merge field may not stand inside an HTML tag"]),
    "inline HTML tag": ('a <abbr title="{{ a }}">b</abbr>', ["1:16 a merge field may not stand inside an HTML tag"]),
    "mjml tag": (
        '::: mjml\n<mj-text color="{{ a }}">b</mj-text>\n:::',
        ["2:17 a merge field may not stand inside a tag"],
    ),
}


@pytest.mark.parametrize(("body", "expected"), BAD.values(), ids=BAD.keys())
def test_what_is_no_field_or_stands_wrong_is_reported_at_its_place(
    workspace: Workspace, body: str, expected: list[str]
) -> None:
    """Once each, with its own column."""
    assert wrong(workspace, body) == expected


def test_the_hints_say_what_to_write(workspace: Workspace) -> None:
    """A misspelt filter, a name in capitals, and braces that are meant."""
    problems = faults(workspace, workspace.issue('{{ a | defualt("x") }} {{ FirstName }} {{7*7}}\n'))
    assert [problem.hint for problem in problems] == [
        "Did you mean “default”?",
        "Did you mean “first_name”?",
        'Write a name, such as {{ first_name | default("there") }}; \\{{ writes the braces themselves.',
    ]


def test_a_field_in_a_comment_is_dropped_with_it(workspace: Workspace) -> None:
    """It is not evaluated for anybody."""
    assert read(workspace, "a <!-- {{ b }} --> c\n\n<!-- {{ d }} -->\n").fields == ()


# -- the issue's data -----------------------------------------------------------------


def test_data_is_put_in_as_plain_text(workspace: Workspace) -> None:
    """Not as Markdown or HTML, and filters work on it; in a link it is encoded, or the link itself."""
    workspace.write(
        "issues/2026-11-23-hello/figures.yaml",
        'count: 1.50\nname: "*x* <b> {{ y }} _"\nday: 2026-11-23\nurl: https://example.org/a\nlong: >\n  a\n  b\n',
    )
    workspace.write("issues/2026-11-23-hello/more.json", '{"price": 2.50, "on": true, "none": null, "q": "a b&c"}')
    body = '{{ data.count }} {{ data.name }} {{ data.day | date("d MMMM y") }} {{ data.none | default("-") }} {{ data.price }} {{ data.on | upper }} {{ data.long }} [u]({{ data.url }}) [q](https://example.org/?{{ data.q }})\n'
    workspace.issue(body)
    front = "id: abc-123\ntitle: A\ndata: [figures.yaml, more.json]\nsubject: 'About {{ data.count }}'\n"
    workspace.write("issues/2026-11-23-hello/index.md", f"---\n{front}---\n{body}")
    issue = load_issue(workspace.root / "issues/2026-11-23-hello", workspace.config())
    (block,) = issue.blocks
    assert isinstance(block, Paragraph)
    text, first, _, second = block.children
    assert text == Text("1.50 *x* <b> {{ y }} _ 23 November 2026 - 2.50 TRUE a b ")
    assert isinstance(first, Link)
    assert isinstance(second, Link)
    assert (first.href, second.href) == ("https://example.org/a", "https://example.org/?a%20b%26c")
    assert (issue.subject, issue.fields) == ("About 1.50", ())


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("d.yaml", "a: 1\n", ["7:1 the issue's data has no key “b”"]),
        ("d.yaml", "b: [1]\n", ["7:1 “data.b” is a list or a mapping, not a single value"]),
        ("d.yaml", "b: 1\nb: 2\n", ["d.yaml 2:1 the key “b” is already given on line 1"]),
        ("d.yaml", "- b\n", ["d.yaml 1:1 a data file holds “key: value” lines", "7:1 the issue's data has no key “b”"]),
        (
            "d.json",
            '{"b": 1,\n "b": 2}',
            ["d.json 2:2 the key “b” is given twice", "7:1 the issue's data has no key “b”"],
        ),
        (
            "d.json",
            '{"b": }',
            ["d.json 1:7 this is not valid JSON: Expecting value", "7:1 the issue's data has no key “b”"],
        ),
        (
            "d.json",
            '{"b": "\\u0000"}',
            ["d.json 1:2 the value of “b” holds a character (U+0000) that no mail can hold"],
        ),
        (
            "d.json",
            '{"b": "\\ud800"}',
            ["d.json 1:2 the value of “b” holds a character (U+D800) that no mail can hold"],
        ),
        ("d.json", "[1]", ["d.json 1:1 a data file holds one object: { … }", "7:1 the issue's data has no key “b”"]),
        (
            "d.json",
            "[" * 100_000,
            ["d.json 1:1 this is nested too deep to be read", "7:1 the issue's data has no key “b”"],
        ),
        ("d.yaml", "b: \xff", ["7:1 the issue's data has no key “b”", "d.yaml 1:4 this is not UTF-8 (byte 0xFF)"]),
        ("d.csv", "b", ["5:7 “d.csv” is not a data file's name", "7:1 the issue's data has no key “b”"]),
        ("../d.yaml", "b: 1", ["5:7 “../d.yaml” is not a data file's name", "7:1 the issue's data has no key “b”"]),
    ],
)
def test_bad_data_is_reported_in_its_own_file(workspace: Workspace, name: str, text: str, expected: list[str]) -> None:
    """Or where it is used."""
    folder = workspace.issue("{{ data.b }}\n", data=name, preheader="")
    workspace.write(f"issues/2026-11-23-hello/{name}", text.encode("latin-1"))
    found = sorted(
        f"{'d' + suffix + ' ' if (suffix := p.place.path.rpartition('/d')[2]) != p.place.path else ''}{p.place.line}:{p.place.col} {p.message}"
        for p in faults(workspace, folder)
        if p.place
    )
    assert sorted(each.replace("dd.", "d.") for each in found) == sorted(expected)


def test_a_missing_data_file_is_suggested(workspace: Workspace) -> None:
    """And one that leads out of the folder is refused."""
    folder = workspace.issue("a\n", data="figure.yaml")
    workspace.write("issues/2026-11-23-hello/figures.yaml", "a: 1\n")
    (problem,) = faults(workspace, folder)
    assert (problem.message, problem.hint) == (
        "there is no file “figure.yaml” beside index.md",
        "Did you mean “figures.yaml”?",
    )
    workspace.write("secret.yaml", "a: 1\n")
    (folder / "figure.yaml").symlink_to(workspace.root / "secret.yaml")
    (problem,) = faults(workspace, folder)
    assert problem.message == "“figure.yaml” leads out of the issue's folder"


def test_the_same_key_in_two_files_is_an_error(workspace: Workspace) -> None:
    """With both places."""
    workspace.write("issues/2026-11-23-x/index.md", "---\nid: abc-123\ntitle: A\ndata: [a.yaml, b.json]\n---\nA\n")
    workspace.write("issues/2026-11-23-x/a.yaml", "x: 1\n")
    workspace.write("issues/2026-11-23-x/b.json", '{"x": 1}')
    (problem,) = faults(workspace, workspace.root / "issues/2026-11-23-x")
    assert str(problem.place).endswith("b.json:1:2")
    assert problem.message.startswith("the key “x” is already given in ")
    assert problem.message.endswith("a.yaml:1:4")


# -- properties -----------------------------------------------------------------------


@given(st.text(alphabet=st.sampled_from("{}\\\"'|()ab_.\n 7*é`"), max_size=60))
def test_lifting_keeps_every_position_and_loses_nothing(text: str) -> None:
    """Whatever is lifted can be put back as it was."""
    source = Source.of("x", text)
    fields = Fields("en", {}, [])
    lifted = fields.lift(text, lambda offset, _: source.place(offset))
    assert len(lifted) == len(text)
    assert lifted.count("\n") == text.count("\n")
    assert "{{" not in lifted
    assert fields.literal(lifted) == text
    assert not MARK.search(MARK.sub("", lifted))


@given(st.text(max_size=80))
def test_the_grammar_accepts_fields_and_nothing_else(inside: str) -> None:
    """Never another error, never a name or a filter that we do not know."""
    hint = ""
    try:
        name, filters = parse("{{" + inside + "}}")
    except NotAField as error:
        name, filters, hint = str(error), (), error.hint
    assert name
    assert hint or name.removeprefix("data.").isidentifier()
    assert {each.name for each in filters} <= set(FILTERS)
