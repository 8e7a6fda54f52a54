"""What a theme declares: colours and their contrast, widths, a logo, a parent; and the themes that ship."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from render import golden
from render.helpers_render import TEMPLATES, as_nobody, at, config, html_of, issue, para, picture, printed, tags, words
from render.test_render_look import COLOURS, opened
from render.test_render_look import contrast as seen_contrast
from support import CONFIGURATION, ROOT

from newsletter.check.rules import preflight
from newsletter.config import load
from newsletter.content.issue import load_issue
from newsletter.errors import BadInput
from newsletter.model import Button, Card, Cards, Columns, Heading, Sponsor
from newsletter.personal import join, without_reader
from newsletter.render.contrast import COLOUR, ENOUGH, contrast, would_do
from newsletter.render.edition import render
from newsletter.render.theme import load_theme, themes

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.errors import Problem
    from newsletter.model import Edition
    from newsletter.render.theme import Theme

PNG = (TEMPLATES / "digest" / "logo.png").read_bytes()


def mine(folder: Path, yaml: str = "", **files: str | bytes) -> Theme:
    """A theme of these files; a name's two underscores are a slash, its last one a dot."""
    home = folder / "mine"
    home.mkdir(exist_ok=True)
    (home / "theme.yaml").write_text(yaml, "utf-8")
    for name, data in files.items():
        path = home / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return load_theme("mine", [folder, TEMPLATES])


def faults(folder: Path, yaml: str, **files: str | bytes) -> tuple[Problem, ...]:
    """What loading such a theme reports."""
    with pytest.raises(BadInput) as caught:
        mine(folder, yaml, **files)
    return caught.value.problems


# -- contrast -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#FFFFFF", 21), ("#FFFFFF", "#FFFFFF", 1), ("#777777", "#FFFFFF", 4.48), ("#0B5A7A", "#FFFFFF", 7.61)],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    """Both ways round."""
    assert contrast(one, other) == contrast(other, one) == pytest.approx(ratio, abs=0.01)


@pytest.mark.parametrize("text", ["#88AACC", "#FFFFFF", "#000000", "#7F7F7F", "#FF0000", "#00FF00"])
@pytest.mark.parametrize("ground", ["#FFFFFF", "#000000", "#777777", "#F2F4F7", "#14171B", "#3366FF"])
def test_what_would_do_does(text: str, ground: str) -> None:
    """Whatever the two colours are."""
    found = would_do(text, ground)
    assert COLOUR.fullmatch(found)
    assert contrast(found, ground) >= ENOUGH


def test_a_pale_colour_is_an_error_at_its_place_with_one_that_would_do(tmp_path: Path) -> None:
    """In the light or in the dark; the file, line and column are those of the colour."""
    (light,) = faults(tmp_path, 'title: Mine\ncolours:\n  mute: "#88AACC"\ncontrast:\n  page: mute\n')[:1]
    assert light.place is not None
    assert (light.place.path.rpartition("/")[2], light.place.line, light.place.col) == ("theme.yaml", 3, 9)
    assert "“mute” #88AACC on “page” #FFFFFF has a contrast of 2.4" in light.message
    would = re.search('"(#[0-9A-F]{6})"', light.hint)
    assert would
    assert contrast(would[1], "#FFFFFF") >= ENOUGH
    dark = faults(tmp_path, 'colours:\n  link_dark: "#335577"\n')[0]
    assert "“link_dark” #335577 on “page_dark” #14171B" in dark.message


def test_the_colour_to_change_is_the_one_that_the_theme_gives(tmp_path: Path) -> None:
    """A ground of its own, too dark for the default theme's text, is placed at the ground."""
    found = faults(tmp_path, 'colours:\n  mark: "#333333"\n')
    assert [(each.place.line, each.place.col) for each in found if each.place] == [(2, 9)]
    assert "For “mark”" in found[0].hint


def test_a_ratio_just_too_low_does_not_read_as_enough(tmp_path: Path) -> None:
    """4.499 is not 4.5."""
    (found, *_) = faults(tmp_path, 'colours:\n  mute: "#777777"\n')
    assert "4.47:1; text needs 4.5:1" in found.message


@pytest.mark.parametrize(
    ("yaml", "line", "said", "hint"),
    [
        ("colours:\n  ink: black\n", 2, "“black” is not a colour", "six hexadecimal digits"),
        ('colours:\n  ink: "#123"\n', 2, "“#123” is not a colour", "six"),
        ('colours:\n  glow: "#123456"\ncontrast:\n  page: glow\n', 2, "“glow” has no twin for the dark", "glow_dark"),
        ("contrast:\n  page: inc\n", 2, "no colour “inc”", "ink"),
        ("contrast:\n  pgae: ink\n", 2, "no colour “pgae”", "page"),
        ("contrast: all\n", 1, "“contrast” takes", ""),
        ("widths:\n  text: wide\n", 2, "“wide” is not a width", "536"),
        ("widths:\n  txet: 500\n", 2, "nothing reads the setting “txet”", "text"),
        ('settings:\n  link: "#AA0000"\n', 2, "“link” is one of the colours", "colours:"),
        ('colours:\n  mute: "#444444"\nfonts:\n  mute: Arial\n', 4, "already given on line 2", "one of the two"),
        ("logo:\n  light: logo.png\n", 2, "a logo needs “dark”", "logo-dark.png"),
        ("logo:\n  light: a.png\n  dark: b.png\n  width: 100\n", 2, "no picture “a.png”", "beside theme.yaml"),
        ("logo:\n  lihgt: a.png\n", 2, "a logo has no “lihgt”", "light"),
        ("parent: nosuch\n", 1, "no theme “nosuch”", "default"),
        ("parent: mine\n", 1, "this theme itself", ""),
    ],
)
def test_a_mistake_in_theme_yaml_has_its_place(tmp_path: Path, yaml: str, line: int, said: str, hint: str) -> None:
    """Each with what to do."""
    problem = next(each for each in faults(tmp_path, yaml) if said in each.message)
    assert problem.place is not None
    assert (problem.place.line, hint in problem.hint) == (line, True)


# -- logo, parent, sheets ---------------------------------------------------------------


def test_a_logo_is_shown_light_and_dark_in_mail_and_on_the_page(tmp_path: Path) -> None:
    """One of the two shows; both travel with the mail; without styles the light one says the newsletter's name."""
    yaml = "logo:\n  light: logo.png\n  dark: other.png\n  width: 120\n"
    theme = mine(tmp_path, yaml, logo_png=PNG, other_png=(TEMPLATES / "digest" / "logo-dark.png").read_bytes())
    edition = printed(para("x"), theme=theme)
    light, dark = edition.pictures[-2:]
    html = as_nobody(edition)[0]
    shown = {each["src"].rpartition("/")[2]: each for each in tags(html, "img")}
    assert shown[light.name]["alt"] == "The Harbour Letter"
    assert shown[light.name]["class"] == "on-light"
    assert (shown[light.name]["width"], shown[light.name]["height"]) == ("120", "120")
    assert dark.name in shown
    assert any(each.get("class") == "on-dark" and "display:none" in each["style"] for each in tags(html, "span"))
    assert tags(edition.web, "source")[0]["srcset"] == f"images/{dark.name}"
    assert tags(edition.web, "img")[0]["src"] == f"images/{light.name}"


@pytest.mark.parametrize(("data", "said"), [(b"GIF89a", "not a PNG"), (PNG + bytes(100_000), "comes with every mail")])
def test_a_logo_that_cannot_be_used_is_reported(tmp_path: Path, data: bytes, said: str) -> None:
    """At the line that names it."""
    yaml = "logo:\n  light: a.png\n  dark: b.png\n  width: 100\n"
    (problem,) = faults(tmp_path, yaml, a_png=data, b_png=PNG)
    assert said in problem.message
    assert problem.place is not None
    assert problem.place.line == 2


def test_what_a_theme_lacks_comes_from_its_parent_and_then_from_the_default(tmp_path: Path) -> None:
    """Templates, single colours, widths and the logo."""
    theme = mine(tmp_path, 'parent: digest\ncolours:\n  hero: "#223344"\n')
    digest, default = (load_theme(name, [TEMPLATES]) for name in ("digest", "default"))
    assert theme.sources["layout.mjml.j2"] == digest.sources["layout.mjml.j2"]
    assert theme.sources["blocks/list.mjml.j2"] == default.sources["blocks/list.mjml.j2"]
    assert (theme.settings["hero"], theme.settings["panel"]) == ("#223344", digest.settings["panel"])
    assert theme.widths == digest.widths
    assert theme.logo is not None
    assert theme.parent == "digest"


def test_a_theme_may_have_the_name_of_the_one_it_comes_from(tmp_path: Path) -> None:
    """`theme copy digest templates/digest` stands before the one that ships, and follows it."""
    home = tmp_path / "digest"
    home.mkdir()
    (home / "theme.yaml").write_text('parent: digest\ncolours:\n  hero: "#223344"\n', "utf-8")
    theme = load_theme("digest", [tmp_path, TEMPLATES])
    assert theme.settings["hero"] == "#223344"
    assert len(theme.folders) == 3


def test_parents_that_go_round_in_a_circle_are_an_error(tmp_path: Path) -> None:
    """And no endless loop."""
    for name, parent in (("one", "two"), ("two", "one")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "theme.yaml").write_text(f"parent: {parent}\n", "utf-8")
    with pytest.raises(BadInput, match=r"theme\.yaml:1:9: the parent “one”"):
        load_theme("one", [tmp_path, TEMPLATES])


def test_a_style_sheet_may_stand_behind_its_parents(tmp_path: Path) -> None:
    """With @parent; at its head; without, it takes the other's place."""
    behind = mine(
        tmp_path, mail_css="@parent;\n.mine { color: $link; }\n", dark_css="@parent;\n.mine { color: $ink_dark }\n"
    )
    assert behind.head.index(":root") < behind.head.index(".mine { color: #0B5A7A")
    assert "[data-ogsc] .mine { color: #F2F3F5 }" in behind.head
    alone = mine(tmp_path, mail_css=".mine { color: $link; }\n")
    assert ":root" not in alone.head
    broken = faults(tmp_path, "", mail_css="@parent;\n\n.mine { color: $nosuch; }\n")[0]
    assert broken.place is not None
    assert broken.place.line == 3


def test_themes_are_listed_once_the_default_first(tmp_path: Path) -> None:
    """One of the workspace stands before one of the same name that ships."""
    for name in ("zebra", "plain", ".hidden"):
        (tmp_path / name).mkdir()
    found = themes([tmp_path, TEMPLATES])
    assert [name for name, _ in found] == ["default", "digest", "plain", "zebra"]
    assert dict(found)["plain"] == tmp_path / "plain"
    assert themes([tmp_path / "nowhere"]) == []


# -- the themes that ship ---------------------------------------------------------------


@pytest.fixture(scope="module")
def editions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Edition]:
    """The specimen in each theme that ships."""
    root = tmp_path_factory.mktemp("shipped")
    (root / "newsletter.yaml").write_text(CONFIGURATION, "utf-8")
    read = load_issue(golden.SPECIMEN, load(root), cache=ROOT / ".newsletter" / "cache")
    return {name: render(read, load_theme(name, [TEMPLATES]), load(root)) for name in golden.THEMES}


def mail(edition: Edition) -> str:
    """The mail's HTML, without a reader."""
    return join(
        edition.variants[0].html, [without_reader(field, "en", "https://l.example") for field in edition.fields]
    )


@pytest.mark.parametrize("name", golden.THEMES)
def test_the_specimen_has_no_findings(editions: dict[str, Edition], name: str) -> None:
    """In no theme that ships; so its HTML is below 80 kB, too."""
    assert preflight(editions[name], config()) == ()


@pytest.mark.parametrize("name", golden.THEMES)
def test_the_style_sheet_is_one_that_gmail_reads(editions: dict[str, Edition], name: str) -> None:
    """16 kB at most."""
    styles = "".join(re.findall(r"<style.*?</style>", mail(editions[name]), re.DOTALL))
    assert 2_000 < len(styles.encode()) < 16_000


@pytest.mark.parametrize("folder", sorted((ROOT / "issues").iterdir()), ids=lambda folder: folder.name)
def test_every_sample_is_small(folder: Path) -> None:
    """Its HTML below 80 kB in every variant, its style sheet below 16 kB."""
    home = load(ROOT)
    read = load_issue(folder, home, cache=ROOT / ".newsletter" / "cache")
    made = render(read, load_theme(read.theme, [TEMPLATES]), home)
    for variant in made.variants:
        html = join(variant.html, [without_reader(field, made.lang, "https://l.example") for field in made.fields])
        assert len(html.encode()) < 80_000
        assert sum(len(each.encode()) for each in re.findall(r"<style.*?</style>", html, re.DOTALL)) < 16_000


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["mail", "web"])
@pytest.mark.parametrize("name", golden.THEMES)
def test_all_text_of_the_specimen_can_be_read(
    browser: Any, editions: dict[str, Edition], name: str, kind: str, scheme: str
) -> None:
    """As the browser computes it: what is declared in theme.yaml is what is shown."""
    page = mail(editions[name]) if kind == "mail" else editions[name].web
    found = opened(browser, page, scheme=scheme).evaluate(COLOURS)
    assert len(found) > 60
    assert [each for each in found if seen_contrast(each[1], each[2]) < ENOUGH] == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 375, 1280])
@pytest.mark.parametrize("kind", ["mail", "web"])
@pytest.mark.parametrize("name", golden.THEMES)
def test_the_specimen_does_not_scroll_sideways(
    browser: Any, editions: dict[str, Edition], name: str, kind: str, width: int
) -> None:
    """On no width."""
    page = mail(editions[name]) if kind == "mail" else editions[name].web
    assert opened(browser, page, width=width).evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", golden.THEMES)
@pytest.mark.parametrize(("lang", "side", "other"), [("en", "left", "rtl"), ("ar", "right", "ltr")])
def test_a_theme_keeps_to_the_reading_direction(name: str, lang: str, side: str, other: str) -> None:
    """Text, cards and buttons begin at the side where reading does."""
    theme = load_theme(name, [TEMPLATES])
    card = Card("A title", "kick", "https://e.org/a", None, "", (para("carded"),), at())
    blocks = (para("running"), Cards((card,), at()), Heading(2, words("headed"), "h", at()))
    html = html_of(*blocks, Button(words("pressed"), "https://e.org", at()), theme=theme, lang=lang)
    assert f"direction:{other}" not in html
    for word in ("running", "carded"):
        before = html[: html.index(f">{word}<")]
        assert before[before.rindex("text-align:") :].startswith(f"text-align:{side}")
    assert f'align="{side}"' in html[: html.index("pressed")]


def test_the_digests_card_has_its_picture_first_for_a_phone_and_names_where_it_leads() -> None:
    """The section runs against the reading direction, so that the picture stands at the far side on a desk."""
    theme = load_theme("digest", [TEMPLATES])
    card = Card("A title", "kick", "https://www.example.org/a?b", picture(), "alt", (para("text of it"),), at())
    html = html_of(Cards((card,), at()), theme=theme)
    assert html.index("harbour.png") < html.index("text of it")
    assert "direction:rtl" in html
    assert ">example.org\u00a0→</a>" in html


@pytest.mark.parametrize("name", golden.THEMES)
def test_every_block_may_stand_in_a_column(name: str) -> None:
    """A template that prints a section of its own has another form for there."""
    theme = load_theme(name, [TEMPLATES])
    left = (
        Heading(2, words("head"), "h", at()),
        Sponsor("Example", (para("bought"),), at()),
        Button(words("b"), "https://e.org", at()),
    )
    html = html_of(Columns((left, (para("right"),)), at()), theme=theme)
    assert all(each in html for each in ("head", "bought", "right"))


def test_a_copy_of_the_packaged_theme_reads_the_same(tmp_path: Path) -> None:
    """What `init` writes changes no mail."""
    shutil.copytree(TEMPLATES / "default", tmp_path / "default")
    made = [render(issue(), load_theme("default", search), config()) for search in ([TEMPLATES], [tmp_path, TEMPLATES])]
    assert made[0] == made[1]
