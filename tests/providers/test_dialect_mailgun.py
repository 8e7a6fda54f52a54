"""Mailgun's dialect: what it takes, what readers get, what it refuses, and what it tells afterwards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from providers.helpers_dialects import BASE, BASIC, Post

if TYPE_CHECKING:
    from pathlib import Path

    from providers.helpers_dialects import Answered

MESSAGES = "/v3/mg.example.org/messages"
FORM: dict[str, Any] = {
    "from": "Tess Editor <tess@example.org>",
    "to": "ada@example.com,bo@example.com",
    "subject": "Hi %recipient.name%",
    "text": "Hello %recipient.name%\n",
    "html": "<p>Hello %recipient.name%</p>",
    "recipient-variables": json.dumps({"ada@example.com": {"name": "Ada", "r": 7}, "bo@example.com": {"name": "Bö"}}),
}


@pytest.fixture
def post(tmp_path: Path) -> Post:
    """An empty outbox without a rate."""
    return Post(tmp_path / "outbox")


def send(post: Post, **changes: Any) -> Answered:
    """The form with some fields changed; ``None`` leaves one out, ``_`` stands for ``-``, ``__`` for ``:``."""
    named = {name.replace("__", ":").replace("_", "-"): value for name, value in changes.items()}
    data = {name: value for name, value in (FORM | named).items() if value is not None}
    files = [(name, (None, each)) for name, value in data.items() for each in _listed(value)]
    return post.ask("POST", MESSAGES, files=files, headers=BASIC)


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def test_each_recipient_gets_a_copy_of_their_own(post: Post) -> None:
    """Their values stand in subject, text, HTML, headers and variables, and nobody else's address in ``To``."""
    link = "<https://example.org/u/%recipient.r%>"
    answer = send(post, h__List_Unsubscribe=link, v__recipient="%recipient.r%", v__batch="b-1", o__tag="the-issue")
    assert answer.status == 200
    assert answer.data["message"] == "Queued. Thank you."
    ada, bo = sorted(post.mails(), key=lambda mail: mail.header("to"))
    assert [mail.header("to") for mail in (ada, bo)] == ["ada@example.com", "bo@example.com"]
    assert [mail.header("subject") for mail in (ada, bo)] == ["Hi Ada", "Hi Bö"]
    assert [mail.body("plain") for mail in (ada, bo)] == ["Hello Ada\n", "Hello Bö\n"]
    assert [mail.body("html") for mail in (ada, bo)] == ["<p>Hello Ada</p>", "<p>Hello Bö</p>"]
    assert ada.header("list-unsubscribe") == "<https://example.org/u/7>"
    assert json.loads(ada.header("x-mailgun-variables")) == {"recipient": "7", "batch": "b-1"}
    assert {mail.header("message-id") for mail in (ada, bo)} == {answer.data["id"]}
    assert answer.data["id"].endswith("@mg.example.org>")
    assert ada.header("from") == "Tess Editor <tess@example.org>"
    assert (ada.folder, ada.person) == ("mailgun~the-issue", "00000007")


def test_substitution_is_one_pass_and_leaves_what_it_does_not_know(post: Post) -> None:
    """A value that looks like a macro stays, as does a key that the recipient lacks."""
    text = "%recipient.a% %recipient.none% %recipient.% 100%recipient"
    send(
        post,
        to="ada@example.com",
        text=text,
        recipient_variables='{"ada@example.com": {"a": "%recipient.b%", "b": "B"}}',
    )
    (mail,) = post.mails()
    assert mail.body("plain") == "%recipient.b% %recipient.none% %recipient.% 100%recipient"


def test_the_address_makes_variables_of_its_own(post: Post) -> None:
    """The four that the manual names, from the display name and the address."""
    text = "%recipient%|%recipient_email%|%recipient_name%|%recipient_fname%|%recipient_lname%"
    send(post, to='"Ada King, Countess" <ada@example.com>', text=text)
    (mail,) = post.mails()
    assert mail.body("plain") == (
        "Ada King, Countess <ada@example.com>|ada@example.com|Ada King, Countess|Ada|King, Countess"
    )
    assert mail.header("to") == '"Ada King, Countess" <ada@example.com>'


def test_variables_that_are_no_text_are_written_as_json(post: Post) -> None:
    """Numbers, booleans and lists."""
    values = {"n": 3, "yes": True, "list": ["ü"]}
    send(
        post,
        text="%recipient.n% %recipient.yes% %recipient.list%",
        recipient_variables=json.dumps({"ada@example.com": values}),
    )
    assert post.mails()[0].body("plain") == '3 true ["ü"]'


@pytest.mark.parametrize("given", [None, "{}"])
def test_without_recipient_variables_everybody_sees_everybody(post: Post, given: str | None) -> None:
    """The trap of Mailgun's batch: one visible ``To``, and nothing is replaced."""
    send(post, to=["Ada <ada@example.com>", "bo@example.com"], recipient_variables=given, h__X_Of="%recipient.name%")
    one, two = post.mails()
    for mail in (one, two):
        assert mail.header("to") == "Ada <ada@example.com>, bo@example.com"
        assert mail.header("subject") == "Hi %recipient.name%"
        assert mail.body("plain") == "Hello %recipient.name%\n"
        assert mail.header("x-of") == "%recipient.name%"
    assert one.path != two.path


def test_a_urlencoded_form_is_the_same(post: Post) -> None:
    """Both bodies that the API takes."""
    answer = post.ask("POST", MESSAGES, data=FORM, headers=BASIC)
    assert answer.status == 200
    assert sorted(mail.header("subject") for mail in post.mails()) == ["Hi Ada", "Hi Bö"]


def test_one_address_twice_is_one_mail(post: Post) -> None:
    """Whatever its case."""
    assert send(post, to="ada@example.com,Ada@Example.com,bo@example.com").status == 200
    assert [mail.header("to") for mail in post.mails()] == ["ada@example.com", "bo@example.com"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"from": None}, "from parameter is missing"),
        ({"from": "Tess"}, "'from' parameter is not a valid address. please check documentation"),
        ({"to": None}, "to parameter is missing"),
        ({"to": " "}, "to parameter is missing"),
        ({"to": "ada@example.com,bo"}, "'to' parameter is not a valid address. please check documentation"),
        ({"to": "ada@example.com,"}, "'to' parameter is not a valid address. please check documentation"),
        ({"to": ["ada@example.com", "bo@localhost"]}, "'to' parameter is not a valid address."),
        ({"to": "a..b@example.com"}, "'to' parameter is not a valid address."),
        ({"to": "Ada <ada@example.com> x"}, "'to' parameter is not a valid address."),
        ({"to": f"{'a' * 65}@example.com"}, "'to' parameter is not a valid address."),
        ({"to": "ädä@example.com"}, "'to' parameter is not a valid address."),
        ({"to": ",".join(f"p{n}@example.com" for n in range(1001))}, "Too many recipients, max is 1000"),
        ({"text": None, "html": None}, "Need at least one of 'text', 'html', 'amp-html' or 'template'"),
        ({"text": "", "html": ""}, "Need at least one of 'text', 'html', 'amp-html' or 'template'"),
        ({"recipient_variables": "{"}, "'recipient-variables' parameter is not a valid JSON"),
        ({"recipient_variables": '{"ada@example.com": 1}'}, "'recipient-variables' parameter is not a valid JSON"),
        ({"recipient_variables": "[" * 100_000}, "'recipient-variables' parameter is not a valid JSON"),
        ({"v__x": "x" * 16_400}, "limited to 16 kB total"),
        ({"h__X": "x " * 4000, "v__x": "x" * 8400}, "limited to 16 kB total"),
        ({"cc": "bo@example.com"}, "does not speak 'cc'"),
        ({"subject": "a\nBcc: x@example.com"}, "a header cannot be written: it holds a line break"),
        ({"h__X": "a\r\nBcc: x@example.com"}, "a header cannot be written: it holds a line break"),
        ({"h__To": "x@example.com"}, "a header cannot be written: it belongs to the message itself"),
        ({"h__X Y": "a"}, "a header cannot be written: its name"),
        ({"h__X": "x" * 1000}, "a header cannot be written: it is longer than a line of mail may be"),
        ({"o__tag": "a\nb"}, "a header cannot be written: it holds a line break"),
    ],
)
def test_what_does_not_fit_refuses_the_whole_call(post: Post, changes: dict[str, Any], words: str) -> None:
    """400, in Mailgun's own words where they are known, and nobody gets anything."""
    answer = send(post, **changes)
    assert answer.status == 400
    assert words in answer.said
    assert post.mails() == []
    assert list(post.root.glob("**/*.jsonl")) == []


def test_a_value_cannot_break_a_header_apart(post: Post) -> None:
    """A line break that only a recipient's value brings in refuses the call as well."""
    values = {"ada@example.com": {"name": "Ada"}, "bo@example.com": {"name": "Bo\r\nBcc: x@example.com"}}
    assert send(post, recipient_variables=json.dumps(values)).status == 400
    assert post.mails() == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nvalue\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nvalue\r\n--x--"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="to"\r\n\r\n\xff\r\n--x--'),
        ("application/x-www-form-urlencoded", b"%ff=%ff"),
        ("application/x-www-form-urlencoded", b"nothing"),
        ("", b""),
    ],
)
def test_a_body_that_is_no_form_is_refused(post: Post, kind: str, body: bytes) -> None:
    """400, whatever it is."""
    answer = post.ask("POST", MESSAGES, content=body, headers={**BASIC, "content-type": kind})
    assert answer.status == 400
    assert "cannot be read as a form" in answer.said


def test_fields_hold_any_bytes(post: Post) -> None:
    """Boundaries in values, empty lines and line ends of both kinds come through."""
    text = '--\r\n--x\n\r\n\r\nContent-Disposition: form-data; name="to"\r\n\r\n.\n From \n'
    assert send(post, text=text).status == 200
    assert post.mails()[0].body("plain") == text.replace("\r\n", "\n")


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic", "Basic !!", "Basic YXBpOg==", "Basic eDprZXk=", "Basic YXBpOndyb25nLWtleQ==", "Bearer x"],
)
def test_a_call_without_a_good_key_is_forbidden(post: Post, authorization: str) -> None:
    """No key, none that can be read, an empty one, another user than ``api``, a key that says it is wrong."""
    answer = post.ask("POST", MESSAGES, data=FORM, headers={"authorization": authorization} if authorization else {})
    assert (answer.status, answer.reply.body) == (401, b"Forbidden")
    assert post.mails() == []


def test_a_domain_that_the_account_lacks_is_not_found(post: Post) -> None:
    """A name set apart for it."""
    answer = post.ask("POST", "/v3/unknown.example/messages", data=FORM, headers=BASIC)
    assert (answer.status, answer.said) == (404, "Domain not found: unknown.example")


@pytest.mark.parametrize(
    "path", ["/", "/v3", "/v3/messages", "/v3//messages", "/v3/v3/mg.example.org/messages", "/v4/x"]
)
def test_a_wrong_path_answers_with_a_friendly_word(post: Post, path: str) -> None:
    """200, and nothing was taken."""
    answer = post.ask("POST", path, data=FORM, headers=BASIC)
    assert (answer.status, answer.reply.body) == (200, b"Mailgun Magnificent API")
    assert post.mails() == []


def test_a_message_over_25_megabytes_is_too_large(post: Post) -> None:
    """413, from something before the API."""
    answer = send(post, html="x" * (26 << 20))
    assert answer.status == 413
    assert b"<html>" in answer.reply.body
    assert post.mails() == []


def test_the_rate_is_told_in_words_only(tmp_path: Path) -> None:
    """429 without any header, until the second is over."""
    post = Post(tmp_path, limit=1)
    assert send(post).status == 200
    answer = send(post)
    assert answer.status == 429
    assert "try again after 1 seconds" in answer.said
    assert answer.header("retry-after") is None
    post.seconds += 1
    assert send(post).status == 200


# -- events ---------------------------------------------------------------------------


def events(post: Post, **asked: str) -> list[dict[str, Any]]:
    """All events that fit, page after page."""
    found: list[dict[str, Any]] = []
    answer = post.ask("GET", "/v3/mg.example.org/events", params=asked, headers=BASIC)
    while answer.data["items"]:
        assert answer.status == 200
        found += answer.data["items"]
        assert answer.data["paging"]["next"].startswith(f"{BASE}/v3/mg.example.org/events/")
        answer = post.ask("GET", answer.data["paging"]["next"], headers=BASIC)
    return found


def test_events_are_found_by_what_is_known_of_a_call(post: Post) -> None:
    """Recipient, id, tag and time, also by a server that was started later."""
    first = send(post, o__tag=["one", "x"], v__batch="b-1").data["id"]
    post.at = post.at.replace(hour=9)
    send(post, to="ada@example.com", o__tag="two")
    post.restart()
    assert len(events(post)) == 3
    assert [each["tags"] for each in events(post, recipient="ADA@example.com")] == [["two"], ["one", "x"]]
    (event,) = events(post, recipient="bo@example.com")
    assert (event["event"], event["user-variables"]) == ("accepted", {"batch": "b-1"})
    assert f"<{event['message']['headers']['message-id']}>" == first
    assert len(events(post, **{"message-id": first.strip("<>")})) == 2
    assert len(events(post, tags="one OR two")) == 3
    assert events(post, event="delivered") == []
    since = f"{post.at.timestamp():.0f}"
    assert [each["tags"] for each in events(post, begin=since, ascending="yes")] == [["two"]]
    assert len(events(post, begin="Wed, 25 Nov 2026 07:00:00 +0000", end=str(post.at.timestamp() - 1))) == 2
    assert [each["tags"][0] for each in events(post, ascending="yes", limit="1")] == ["one", "one", "two"]


def test_half_a_line_of_a_killed_server_is_passed_over(post: Post) -> None:
    """And what comes after it stands on a line of its own."""
    send(post)
    record = post.root / ".events" / "mailgun.jsonl"
    record.write_bytes(record.read_bytes()[:-40])
    assert [each["recipient"] for each in events(post)] == ["ada@example.com"]
    send(post, to="ada@example.com")
    assert len(events(post)) == 2


@pytest.mark.parametrize(
    "asked", [{"limit": "301"}, {"limit": "0"}, {"limit": "x"}, {"begin": "soon", "ascending": "yes"}, {"begin": "1"}]
)
def test_a_question_that_cannot_be_read_is_refused(post: Post, asked: dict[str, str]) -> None:
    """A beginning without an end needs a direction."""
    assert post.ask("GET", "/v3/mg.example.org/events", params=asked, headers=BASIC).status == 400


@pytest.mark.parametrize("token", ["x", "!!", "bnVsbA", "eyJza2lwIjogMX0"])
def test_a_page_that_nobody_gave_is_refused(post: Post, token: str) -> None:
    """Its address is no address of ours."""
    assert post.ask("GET", f"/v3/mg.example.org/events/{token}", headers=BASIC).status == 400


# -- people who are not mailed --------------------------------------------------------


PEOPLE = [
    {"address": "gone@example.com", "status": "bounced", "at": "2026-11-01T08:00:00Z", "reason": "No such user"},
    {"address": "left@example.com", "status": "unsubscribed"},
    {"address": "cross@example.com", "status": "complained", "at": "2026-11-02"},
    *({"address": f"b{n}@example.com", "status": "bounced"} for n in range(5)),
]


def test_the_three_lists_come_page_by_page(post: Post) -> None:
    """From the operator's file, with whole addresses of the next page, the last one empty."""
    post.root.mkdir()
    (post.root / "suppressions.json").write_text(json.dumps(PEOPLE))
    found: list[Any] = []
    answer = post.ask("GET", "/v3/mg.example.org/bounces?limit=4", headers=BASIC)
    while answer.data["items"]:
        assert set(answer.data["paging"]) == {"previous", "first", "next", "last"}
        found += answer.data["items"]
        answer = post.ask("GET", answer.data["paging"]["next"], headers=BASIC)
    assert len(found) == 6
    assert found[0] == {
        "address": "gone@example.com",
        "code": "550",
        "error": "No such user",
        "created_at": "Sun, 01 Nov 2026 08:00:00 UTC",
    }
    (left,) = post.ask("GET", "/v3/mg.example.org/unsubscribes", headers=BASIC).data["items"]
    assert (left["address"], left["tags"]) == ("left@example.com", ["*"])
    (cross,) = post.ask("GET", "/v3/mg.example.org/complaints", headers=BASIC).data["items"]
    assert cross == {"address": "cross@example.com", "created_at": "Mon, 02 Nov 2026 00:00:00 UTC"}


def test_without_the_file_nobody_is_suppressed(post: Post) -> None:
    """An empty list."""
    assert post.ask("GET", "/v3/mg.example.org/bounces", headers=BASIC).data["items"] == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("{}", "a list of people is expected"),
        ('[{"status": "bounced"}]', "entry 1: it needs an “address”"),
        ('[{"address": "a@example.com", "status": "gone"}]', "entry 1: its “status” must be"),
        ('[{"address": "a@example.com", "status": "bounced", "at": "soon"}]', "entry 1: its “at” must be"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(post: Post, content: str, words: str) -> None:
    """In the answer, because nobody looks at the server."""
    post.root.mkdir()
    (post.root / "suppressions.json").write_text(content)
    answer = post.ask("GET", "/v3/mg.example.org/bounces", headers=BASIC)
    assert answer.status == 500
    assert "suppressions.json" in answer.said
    assert words in answer.said
