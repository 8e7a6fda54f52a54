"""What the outbox's pages show, without a browser and without JavaScript."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from preview.helpers_preview import ISSUE, Sample

from newsletter.preview import outbox
from newsletter.preview.mailbox import PAGE

if TYPE_CHECKING:
    from preview.helpers_preview import Client

STATIC = Path(outbox.__file__).parent / "static"


class Outline(HTMLParser):
    """Elements with their attributes, in order, and whether they were closed as they should."""

    empty = frozenset({"meta", "link", "input", "img", "br", "base"})
    loose = frozenset({"p", "li", "option"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        self.found.append((tag, dict(attrs)))
        if tag not in self.empty:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes the one opened last."""
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of that name."""
        return [attributes for name, attributes in self.found if name == tag]


def rows(text: str) -> list[str]:
    """The addresses of the messages in the list."""
    return [link["href"] or "" for link in Outline(text).all("a") if link.get("class") == "row"]


def test_an_empty_outbox_says_what_to_do(client: Client) -> None:
    """The way to the first message, command by command."""
    text = client.get("/").text
    assert "The outbox is empty" in text
    for command in ("newsletter subscribers add", "newsletter plan", "newsletter send"):
        assert command in text
    assert ".newsletter/outbox" in text


def test_the_list_shows_address_subject_and_counts(client: Client, sample: Sample) -> None:
    """Newest first, grouped by issue with its count."""
    sample.put("a", to="ada@example.org", subject="Fog", issue="one")
    sample.put("b", to="noor@example.org", subject="Tide", issue="two")
    sample.put("c", to="mei@example.org", subject="Buoys", issue="one")
    text = client.get("/").text
    assert rows(text) == ["/m/one/c", "/m/one/a", "/m/two/b"]
    assert re.findall(r"<h2><span>(.*?)</span> <span class=\"count\">(\d+)", text) == [("one", "2"), ("two", "1")]
    assert all(word in text for word in ("ada@example.org", "Tide", "3 messages, newest first", "(2)"))


def test_search_and_filter_work_by_form_alone(client: Client, sample: Sample) -> None:
    """A plain GET form; what was asked stays in the fields and in every link."""
    sample.put("a", to="ada@example.org", issue="one")
    sample.put("b", to="noor@example.org", issue="two")
    sample.put("c", to="noor@example.org", issue="one")
    text = client.get("/", params={"q": "noor", "issue": "one"}).text
    assert rows(text) == ["/m/one/c?q=noor&issue=one"]
    outline = Outline(text)
    assert outline.all("form") == [{"class": "search", "action": "/", "method": "get", "role": "search"}]
    assert [i.get("value") for i in outline.all("input")] == ["noor"]
    assert [o["value"] for o in outline.all("option") if "selected" in o] == ["one"]
    message = client.get("/m/one/c?q=noor&issue=one").text
    assert rows(message) == ["/m/one/c?q=noor&issue=one"]


def test_a_search_without_hits_leads_back(client: Client, sample: Sample) -> None:
    """It names the way to all messages and shows what was typed, escaped."""
    sample.put("a")
    text = client.get("/", params={"q": 'zzz"<b>'}).text
    assert "Nothing fits." in text
    assert "Show all 1 messages" in text
    assert "<b>" not in text


def test_paging_goes_through_everything(client: Client, sample: Sample) -> None:
    """By links; a senseless page number is the first page, one too high the last."""
    for number in range(2 * PAGE + 5):
        sample.put(f"m{number:03}")
    seen, path = [], "/"
    while path:
        text = client.get(path).text
        seen += rows(text)
        path = next((a["href"] for a in Outline(text).all("a") if a.get("rel") == "next"), None) or ""
    assert len(set(seen)) == len(seen) == 2 * PAGE + 5
    first = client.get("/").text
    assert "1–50 of 105" in first
    for odd in ("", "0", "-1", "x", "1e9", "²"):
        assert rows(client.get("/", params={"page": odd}).text) == rows(first)
    assert "101–105 of 105" in client.get("/?page=999999999").text


def test_a_message_shows_its_four_views(client: Client, sample: Sample) -> None:
    """Mail, text, headers and source, each at its own address."""
    sample.put("a", subject="Ömer’s water", text="Plain words\n")
    path = f"/m/{ISSUE}/a"
    assert f'src="{path}/frame"' in client.get(path).text
    assert "Plain words" in client.get(f"{path}?view=text").text
    assert "Tess Editor &lt;tess@example.org&gt;" in client.get(f"{path}?view=headers").text
    assert "=?utf-8?" in client.get(f"{path}?view=source").text
    assert "<title>Ömer’s water – Outbox</title>" in client.get(path).text
    assert '<div class="stage phone">' in client.get(f"{path}?width=phone").text


def test_the_message_is_marked_in_the_list_and_knows_its_neighbours(client: Client, sample: Sample) -> None:
    """Previous and next walk the list, and keep the view."""
    for name in ("a", "b", "c"):
        sample.put(name)
    outline = Outline(client.get(f"/m/{ISSUE}/b?view=text").text)
    marked = [a["href"] for a in outline.all("a") if a.get("class") == "row" and a.get("aria-current") == "page"]
    assert marked == [f"/m/{ISSUE}/b"]
    steps = {a["rel"]: a["href"] for a in outline.all("a") if a.get("class") == "step"}
    assert steps == {"prev": f"/m/{ISSUE}/c?view=text", "next": f"/m/{ISSUE}/a?view=text"}


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"To: a@example.org\r\n\r\nOnly text", "Only text"),
        (b"", "Source"),
        (b"\xff\xfe\x00", "Source"),
    ],
)
def test_a_message_without_html_opens_at_what_it_has(client: Client, sample: Sample, raw: bytes, shown: str) -> None:
    """Never an empty frame; asking for the HTML says that there is none."""
    sample.raw(f"{ISSUE}/odd.eml", raw)
    text = client.get(f"/m/{ISSUE}/odd").text
    assert shown in text
    assert "<iframe" not in text
    assert "no HTML part" in client.get(f"/m/{ISSUE}/odd?view=html").text
    assert client.get(f"/m/{ISSUE}/odd/frame").status_code == 404


def test_a_message_removed_meanwhile_is_a_friendly_404(client: Client, sample: Sample) -> None:
    """With a way back."""
    sample.put("a").unlink()
    answer = client.get(f"/m/{ISSUE}/a")
    assert answer.status_code == 404
    assert 'href="/"' in answer.text


def test_personal_links_of_a_trial_say_so_and_change_nothing(client: Client) -> None:
    """What the link would do, and what makes it real."""
    for path, words in (("/u/1u.x.y", "nobody was unsubscribed"), ("/v/1v.x.y", "own copy")):
        text = client.get(path).text
        assert "This is a trial" in text
        assert words in text
        assert "public_url" in text


def test_the_state_counts_messages(client: Client, sample: Sample) -> None:
    """The page asks for it while a send is running."""
    assert client.get("/state").json() == {"messages": 0}
    sample.put("a")
    assert client.get("/state").json() == {"messages": 1}


def test_odd_names_are_linked_so_that_they_open(client: Client, sample: Sample) -> None:
    """Spaces, percent signs, question marks and other scripts in folder and file names."""
    sample.put("50% ja?&#x", issue="пример ~2")
    (path,) = rows(client.get("/").text)
    answer = client.get(path)
    assert answer.status_code == 200
    frame = next(f["src"] for f in Outline(answer.text).all("iframe"))
    assert client.get(frame or "").status_code == 200


@pytest.mark.parametrize(
    "path", ["/", f"/m/{ISSUE}/a", f"/m/{ISSUE}/a?view=headers", f"/m/{ISSUE}/a?view=source", "/u/x", "/nothing"]
)
def test_every_page_can_be_read_by_everybody(client: Client, sample: Sample, path: str) -> None:
    """Language, title, one first heading, one main part, a name for every field, frame, part and picture."""
    sample.put("a", issue=ISSUE)
    sample.put("b", issue="another")
    text = client.get(path).text
    outline = Outline(text)
    assert not outline.open
    assert outline.all("html") == [{"lang": "en"}]
    assert re.search(r"<title>[^<]+</title>", text)
    assert len(outline.all("h1")) == len(outline.all("main")) == 1
    labels = {label["for"] for label in outline.all("label")}
    fields = outline.all("input") + outline.all("select")
    assert all(each["id"] in labels for each in fields)
    assert all(frame["title"] for frame in outline.all("iframe"))
    assert all(nav["aria-label"] for nav in outline.all("nav"))
    assert all(a.get("href") for a in outline.all("a"))
    ids = [attributes["id"] for _, attributes in outline.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all("alt" in image for image in outline.all("img"))
    assert not any(key.startswith("on") or key == "style" for _, attributes in outline.found for key in attributes)


def test_nothing_comes_from_elsewhere() -> None:
    """Pages, style and script name no other host."""
    files = [*STATIC.iterdir(), *STATIC.parent.joinpath("templates").iterdir()]
    assert len(files) >= 9
    for file in files:
        text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "//" not in re.sub(r"^//.*$", "", text, flags=re.MULTILINE).replace("  // ", ""), file.name


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    digits = colour.lstrip("#")
    digits = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1])
@pytest.mark.parametrize(
    ("ink", "ground", "least"),
    [
        ("text", "page", 7),
        ("ink", "panel", 7),
        ("muted", "page", 4.5),
        ("muted", "panel", 4.5),
        ("link", "page", 4.5),
        ("on-ink", "ink", 7),
        ("edge", "page", 3),
    ],
)
def test_colours_can_be_told_apart(scheme: int, ink: str, ground: str, least: float) -> None:
    """Text at 4.5:1 or more, edges of fields at 3:1, in light and in dark (WCAG 2.2 AA)."""
    css = (STATIC / "outbox.css").read_text("utf-8")
    colours = dict(
        re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", re.findall(r":root \{(.*?)\}", css, re.DOTALL)[scheme])
    )
    lighter, darker = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= least
