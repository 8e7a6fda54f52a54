"""Resend's dialect: what it takes, what it refuses, what a key stands for, and how fast calls may come."""

from __future__ import annotations

import datetime as dt
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from providers.helpers_dialects import BEARER, Post

from newsletter.errors import Unwritable

if TYPE_CHECKING:
    from pathlib import Path

    from providers.helpers_dialects import Answered

EMAIL: dict[str, Any] = {
    "from": "Tess Editor <tess@example.org>",
    "to": ["ada@example.com"],
    "subject": "Hi Ada",
    "html": "<p>Hello Ada</p>",
    "text": "Hello Ada\n",
}
TAGS = [{"name": "issue", "value": "the-issue"}, {"name": "recipient", "value": "7"}]


@pytest.fixture
def post(tmp_path: Path) -> Post:
    """An empty outbox without a rate."""
    return Post(tmp_path / "outbox")


def batch(post: Post, *emails: Any, key: str | None = None, mode: str | None = None) -> Answered:
    """One batch; every email is the usual one with some fields changed."""
    headers = dict(BEARER)
    if key is not None:
        headers["idempotency-key"] = key
    if mode is not None:
        headers["x-batch-validation"] = mode
    changed = [EMAIL | each if isinstance(each, dict) else each for each in emails]
    return post.ask("POST", "/emails/batch", content=json.dumps(changed), headers=headers)


def test_a_batch_is_as_many_mails_with_an_id_each(post: Post) -> None:
    """In the order of the request, each with its headers; tags name file and folder and stay out of the mail."""
    headers = {"List-Unsubscribe": "<https://example.org/u/7>", "Message-ID": "<own@example.org>"}
    answer = batch(
        post, {"headers": headers, "tags": TAGS, "reply_to": "Ré <re@example.org>"}, {"to": "bo@example.com"}
    )
    assert answer.status == 200
    one, two = (each["id"] for each in answer.data["data"])
    bo, ada = post.mails()
    assert (ada.folder, ada.person) == ("resend~the-issue", "00000007")
    assert ada.header("list-unsubscribe") == "<https://example.org/u/7>"
    assert ada.header("reply-to") == "Ré <re@example.org>"
    assert ada.header("from") == "Tess Editor <tess@example.org>"
    assert (ada.header("to"), bo.header("to")) == ("ada@example.com", "bo@example.com")
    assert (ada.header("subject"), ada.body("plain"), ada.body("html")) == ("Hi Ada", "Hello Ada\n", "<p>Hello Ada</p>")
    assert ada.message.get_all("message-id") == [f"<{one}@resend.invalid>"]
    assert bo.message["message-id"] == f"<{two}@resend.invalid>"
    assert b"the-issue" not in ada.raw


def test_a_single_email_answers_with_its_id(post: Post) -> None:
    """``POST /emails``."""
    answer = post.ask("POST", "/emails", json=EMAIL, headers=BEARER)
    assert answer.status == 200
    assert list(answer.data) == ["id"]
    assert [mail.folder for mail in post.mails()] == ["resend~untagged"]


BAD: list[tuple[dict[str, Any], int, str, str]] = [
    ({"from": None}, 422, "missing_required_field", "Missing `from` field."),
    ({"from": "Tess"}, 422, "validation_error", "Invalid `from` field. The email address needs to follow"),
    ({"from": '"Editor, Tess" <tess@example.org>'}, 422, "validation_error", "Invalid `from` field."),
    ({"from": "Editor, Tess <tess@example.org>"}, 422, "validation_error", "Invalid `from` field."),
    ({"from": "=?utf-8?q?T=C3=A9?= <t@example.org>"}, 451, "security_error", "contain invalid characters"),
    ({"to": []}, 422, "missing_required_field", "Missing `to` field."),
    ({"to": "ada@localhost"}, 422, "validation_error", "Invalid `to` field."),
    ({"to": "ada@example.com, bo@example.com"}, 422, "validation_error", "Invalid `to` field."),
    ({"to": '"Ada" <ada@example.com>'}, 422, "validation_error", "Invalid `to` field."),
    ({"to": [1]}, 422, "validation_error", "must be a `string`"),
    ({"to": [f"p{n}@example.com" for n in range(51)]}, 422, "validation_error", "up to 50"),
    ({"subject": None}, 422, "missing_required_field", "Missing `subject` field."),
    ({"subject": 5}, 422, "validation_error", "The `subject` field must be a `string`."),
    ({"subject": "a\nBcc: x@example.com"}, 422, "validation_error", "invalid characters"),
    ({"subject": "\ud800"}, 422, "validation_error", "invalid characters"),
    ({"html": None, "text": ""}, 422, "missing_required_field", "Missing `html` or `text` field."),
    ({"html": ["x"]}, 422, "validation_error", "The `html` field must be a `string`."),
    ({"headers": []}, 422, "validation_error", "The `headers` field must be an object."),
    ({"headers": {"X": "a\r\nBcc: x@example.com"}}, 422, "validation_error", "Invalid header: it holds a line break"),
    ({"headers": {"X:": "a"}}, 422, "validation_error", "Invalid header: its name"),
    ({"headers": {"To": "x@example.com"}}, 422, "validation_error", "Invalid header: it belongs"),
    ({"headers": {"X": {}}}, 422, "validation_error", "A header's value"),
    ({"tags": {}}, 422, "validation_error", "The `tags` field must be"),
    ({"tags": [{"name": "a"}]}, 422, "validation_error", "A tag needs"),
    ({"tags": [{"name": "a", "value": "a@b"}]}, 422, "validation_error", "Tags should only contain ASCII letters"),
    ({"tags": [{"name": "ä", "value": "a"}]}, 422, "validation_error", "Tags should only contain ASCII letters"),
    ({"tags": [{"name": "a", "value": "a" * 257}]}, 422, "validation_error", "256 characters"),
    ({"tags": [{"name": f"a{n}", "value": "a"} for n in range(76)]}, 422, "validation_error", "up to 75"),
    ({"cc": "x@example.com"}, 422, "validation_error", "does not speak `cc`"),
]


@pytest.mark.parametrize(("changes", "status", "name", "words"), BAD)
def test_one_bad_email_refuses_a_strict_batch(
    post: Post, changes: dict[str, Any], status: int, name: str, words: str
) -> None:
    """With Resend's status, name and words, and nobody gets anything."""
    answer = batch(post, {}, changes)
    assert (answer.status, answer.data["statusCode"], answer.data["name"]) == (status, status, name)
    assert words in answer.said
    assert post.mails() == []


@pytest.mark.parametrize(("changes", "status", "name", "words"), BAD)
def test_a_permissive_batch_names_the_bad_and_takes_the_good(
    post: Post, changes: dict[str, Any], status: int, name: str, words: str
) -> None:
    """By their place in the request; ``data`` holds the good ones only."""
    answer = batch(post, {}, changes, {"to": "bo@example.com"}, mode="permissive")
    assert (answer.status, len(answer.data["data"])) == (200, 2)
    (error,) = answer.data["errors"]
    assert (error["index"], words in error["message"]) == (1, True)
    assert [mail.header("to") for mail in post.mails()] == ["ada@example.com", "bo@example.com"]
    assert status
    assert name


def test_a_permissive_batch_of_bad_emails_only_is_accepted_empty(post: Post) -> None:
    """200 with errors alone."""
    answer = batch(post, {"to": "x"}, 5, mode="permissive")
    assert (answer.status, answer.data["data"]) == (200, [])
    assert [each["index"] for each in answer.data["errors"]] == [0, 1]


@pytest.mark.parametrize("changes", [{"attachments": [{"content": "eA==", "filename": "x"}]}, {"scheduled_at": "2027"}])
def test_a_batch_takes_no_attachment_and_no_later_time(post: Post, changes: dict[str, Any]) -> None:
    """As documented."""
    answer = batch(post, changes)
    assert (answer.status, "is not supported in a batch" in answer.said) == (422, True)


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 400), (b"{", 400), (b"\xff", 400), (b"[" * 100_000, 400), (b"{}", 422), (b"[]", 422), (b"[1]", 422)],
)
def test_a_body_that_is_no_batch_is_refused(post: Post, content: bytes, status: int) -> None:
    """Whatever it is."""
    headers = {**BEARER, "content-type": "application/json"}
    assert post.ask("POST", "/emails/batch", content=content, headers=headers).status == status


def test_more_than_a_hundred_are_refused(post: Post) -> None:
    """And a hundred are taken."""
    assert batch(post, *[{}] * 101).status == 422
    assert batch(post, *[{}] * 100).status == 200
    assert len(post.mails()) == 100


def test_an_unknown_mode_is_refused(post: Post) -> None:
    """It is either of two words."""
    assert batch(post, {}, mode="lax").status == 422


@pytest.mark.parametrize(
    ("authorization", "name"),
    [
        ("", "missing_api_key"),
        ("Bearer ", "missing_api_key"),
        ("Basic x", "missing_api_key"),
        ("Bearer re_Invalid", "validation_error"),
    ],
)
def test_a_call_without_a_good_key_is_refused(post: Post, authorization: str, name: str) -> None:
    """401, with the name that users see."""
    answer = post.ask("POST", "/emails", json=EMAIL, headers={"authorization": authorization})
    assert (answer.status, answer.data["name"]) == (401, name)


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "/x", 404), ("GET", "/emails", 405), ("POST", "/emails/1", 404)]
)
def test_a_wrong_address_or_method_is_named(post: Post, method: str, path: str, status: int) -> None:
    """In Resend's shape."""
    answer = post.ask(method, path, headers=BEARER)
    assert (answer.status, answer.data["statusCode"]) == (status, status)


# -- keys -----------------------------------------------------------------------------


def test_the_same_key_and_body_are_the_same_answer(post: Post) -> None:
    """Nothing is stored again, also by a server that was started later."""
    first = batch(post, {}, {"to": "x"}, key="k-1", mode="permissive")
    assert batch(post, {}, {"to": "x"}, key="k-1", mode="permissive").data == first.data
    post.restart()
    assert batch(post, {}, {"to": "x"}, key="k-1", mode="permissive").data == first.data
    assert len(post.mails()) == 1


def test_the_same_key_with_another_body_is_a_conflict(post: Post) -> None:
    """409, and the new body is not taken."""
    batch(post, {}, key="k-1")
    answer = batch(post, {"subject": "Other"}, key="k-1")
    assert (answer.status, answer.data["name"]) == (409, "invalid_idempotent_request")
    assert len(post.mails()) == 1


def test_a_key_lives_for_a_day(post: Post) -> None:
    """Afterwards the same call is a new one, and a second mail."""
    first = batch(post, {}, key="k-1").data
    post.at += dt.timedelta(hours=23, minutes=59)
    assert batch(post, {}, key="k-1").data == first
    post.at += dt.timedelta(minutes=2)
    assert batch(post, {}, key="k-1").data != first
    assert len(post.mails()) == 2


def test_a_refused_call_uses_no_key_up(post: Post) -> None:
    """The mended body goes with the same key."""
    assert batch(post, {"to": "x"}, key="k-1").status == 422
    assert batch(post, {}, key="k-1").status == 200


@pytest.mark.parametrize("key", ["", "k" * 257])
def test_a_key_has_from_1_to_256_characters(post: Post, key: str) -> None:
    """Else 400."""
    answer = batch(post, {}, key=key)
    assert (answer.status, answer.data["name"]) == (400, "invalid_idempotency_key")
    assert batch(post, {}, key="k" * 256).status == 200


def test_a_key_under_way_is_a_conflict(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """409 with words of its own while the first call is being written."""
    keep = post.desk._keep
    real, entered, go = keep.store, threading.Event(), threading.Event()

    def slow(*given: Any) -> None:
        entered.set()
        assert go.wait(10)
        real(*given)

    monkeypatch.setattr(keep, "store", slow)
    answers: list[Answered] = []
    thread = threading.Thread(target=lambda: answers.append(batch(post, {}, key="k-1")))
    thread.start()
    assert entered.wait(10)
    second = batch(post, {}, key="k-1")
    go.set()
    thread.join(10)
    assert (second.status, second.data["name"]) == (409, "concurrent_idempotent_requests")
    assert answers[0].status == 200
    assert len(post.mails()) == 1


def test_a_server_that_died_before_it_remembered_writes_the_same_mails(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call made again is one mail, not two."""

    def dead(*_given: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(post.desk._keep, "remember", dead)
    with pytest.raises(KeyboardInterrupt):
        batch(post, {}, key="k-1")
    post.restart()
    assert batch(post, {}, key="k-1").status == 200
    assert len(post.mails()) == 1


def test_a_full_disk_is_an_error_of_the_server(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 that says so, nothing stored, and the same key goes through afterwards."""

    def full(*_given: Any) -> None:
        message = "outbox: cannot be written: No space left on device"
        raise Unwritable(message)

    with monkeypatch.context() as patched:
        patched.setattr(post.desk._keep, "store", full)
        answer = batch(post, {}, key="k-1")
    assert (answer.status, answer.said) == (500, "outbox: cannot be written: No space left on device")
    assert batch(post, {}, key="k-1").status == 200
    assert len(post.mails()) == 1


# -- the rate -------------------------------------------------------------------------


def test_five_calls_a_second_are_taken(tmp_path: Path) -> None:
    """Every answer says how many are left, the sixth when to come again."""
    post = Post(tmp_path, limit=None)
    left = [post.ask("POST", "/emails", json=EMAIL, headers=BEARER).header("ratelimit-remaining") for _ in range(5)]
    assert left == ["4", "3", "2", "1", "0"]
    post.seconds += 0.5
    answer = post.ask("GET", "/suppressions", headers=BEARER)
    assert (answer.status, answer.data["name"]) == (429, "rate_limit_exceeded")
    assert "only make 5 requests per second" in answer.said
    headers = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after")
    assert [answer.header(name) for name in headers] == ["5", "0", "1", "1"]
    post.seconds += 0.5
    answer = post.ask("GET", "/suppressions", headers=BEARER)
    assert (answer.status, answer.header("retry-after")) == (200, None)
    assert len(post.mails()) == 5


# -- people who are not mailed --------------------------------------------------------


def test_suppressions_come_page_by_page(post: Post) -> None:
    """By cursor in both directions, and by origin."""
    post.root.mkdir()
    people = [{"address": f"p{n}@example.com", "status": "bounced", "at": "2026-11-01T08:00:00Z"} for n in range(5)]
    people.append({"address": "left@example.com", "status": "unsubscribed"})
    (post.root / "suppressions.json").write_text(json.dumps(people))
    seen: list[dict[str, Any]] = []
    query: dict[str, str] = {"limit": "2"}
    more = True
    while more:
        answer = post.ask("GET", "/suppressions", params=query, headers=BEARER)
        assert answer.data["object"] == "list"
        seen += answer.data["data"]
        more = answer.data["has_more"]
        query["after"] = seen[-1]["id"]
    assert [each["email"] for each in seen] == [each["address"] for each in people]
    assert {key: seen[0][key] for key in ("origin", "source_id", "created_at")} == {
        "origin": "bounce",
        "source_id": None,
        "created_at": "2026-11-01 08:00:00.000+00",
    }
    before = post.ask("GET", "/suppressions", params={"limit": "2", "before": seen[3]["id"]}, headers=BEARER).data
    assert [each["email"] for each in before["data"]] == ["p1@example.com", "p2@example.com"]
    assert before["has_more"] is True
    manual = post.ask("GET", "/suppressions", params={"origin": "manual"}, headers=BEARER).data
    assert ([each["email"] for each in manual["data"]], manual["has_more"]) == (["left@example.com"], False)


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "101"}, {"origin": "x"}, {"after": "x"}, {"after": "x", "before": "y"}]
)
def test_a_question_that_cannot_be_read_is_refused(post: Post, query: dict[str, str]) -> None:
    """422."""
    assert post.ask("GET", "/suppressions", params=query, headers=BEARER).status == 422
