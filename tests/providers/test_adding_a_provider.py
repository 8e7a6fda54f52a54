"""The worked example of ``docs/adding-a-provider.md``, taken out of the page and run."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from providers.contract import LETTER, Contract, message
from support import ROOT

from newsletter.providers.base import Fault, NotSent, Refused, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from newsletter.providers.base import Answer, Provider

PAGE = ROOT / "docs" / "adding-a-provider.md"
KEY = "canary-0123456789"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The page's one block of Python, as a module."""
    (block,) = [each.partition("\n```")[0] for each in PAGE.read_text("utf-8").split("```python\n")[1:]]
    path = tmp_path_factory.mktemp("example") / "postmark_of_the_page.py"
    path.write_text(f"{block}\n", "utf-8")
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    made = module_from_spec(spec)
    sys.modules[path.stem] = made
    spec.loader.exec_module(made)
    yield made
    del sys.modules[path.stem]


@dataclass
class PostmarkKit:
    """The example in front of a Postmark that takes everything, unless ``script`` has an answer."""

    example: ModuleType
    script: list[httpx.Response | Exception] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    taken: Counter[int] = field(default_factory=Counter)

    @property
    def provider(self) -> Provider:
        """The provider under test."""
        made: Provider = self.example.Postmark("http://127.0.0.1:9", KEY, httpx.MockTransport(self.answer))
        return made

    def reopened(self) -> Provider:
        """Another process's."""
        return self.provider

    def accepted(self) -> Counter[int]:
        """Messages by person."""
        return self.taken

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Take a batch."""
        self.requests.append(request)
        if self.script:
            answer = self.script.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        people = [int(each["Metadata"]["recipient"]) for each in json.loads(request.read())]
        self.taken.update(people)
        return httpx.Response(200, json=[item(0, MessageID=f"id-{person}") for person in people])


def item(code: int, **more: Any) -> dict[str, Any]:
    """One message's part of an answer."""
    return {"ErrorCode": code, "Message": "OK" if not code else f"code {code}", **more}


@pytest.fixture
def kit(example: ModuleType) -> PostmarkKit:
    """A fresh one."""
    return PostmarkKit(example)


class TestExampleContract(Contract):
    """The contract of all providers."""


def submit(kit: PostmarkKit, *people: int) -> Answer:
    """One batch."""
    provider = kit.provider
    return provider.submit(provider.prepare(LETTER, [message(n) for n in people], "abc-7"), "key-1")


def test_its_request_is_what_the_api_takes(kit: PostmarkKit) -> None:
    """One message each, with headers and metadata, and the key in its header only."""
    assert submit(kit, 1, 2).ids == ((1, "id-1"), (2, "id-2"))
    (request,) = kit.requests
    assert request.url == "http://127.0.0.1:9/email/batch"
    assert request.headers["x-postmark-server-token"] == KEY
    first, second = json.loads(request.content)
    assert (first["To"], second["To"]) == ("p1@example.com", "p2@example.com")
    assert (first["Subject"], first["HtmlBody"], first["TextBody"]) == ("Hi Ana", "<p>Hello Ana</p>", "Hello Ana\n")
    assert first["Metadata"] == {"recipient": "1", "batch": "abc-7"}
    headers = {each["Name"]: each["Value"] for each in first["Headers"]}
    assert headers["List-Unsubscribe"] == "<https://letters.example.org/u/1>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert KEY.encode() not in request.content


def test_a_refusal_of_one_is_its_own(kit: PostmarkKit) -> None:
    """By the order of the request; one that is merely delayed has no code and is accepted."""
    late = {"Message": "delivery may be delayed", "MessageID": "id-3"}
    kit.script = [httpx.Response(200, json=[item(0, MessageID="id-1"), item(406), late])]
    answer = submit(kit, 1, 2, 3)
    assert [(each.person, each.reason) for each in answer.refused] == [(2, "code 406")]
    assert answer.ids == ((1, "id-1"), (3, "id-3"))


def test_too_many_bytes_are_split(kit: PostmarkKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody is in exactly one group."""
    monkeypatch.setattr(kit.example, "BATCH_BYTES", 1000)
    assert kit.provider.prepare(LETTER, [message(n) for n in range(1, 5)]).split == ((1, 2), (3, 4))


@pytest.mark.parametrize(
    ("answer", "error", "fault"),
    [
        (httpx.Response(200, json=[item(412), item(412)]), NotSent, Fault.CONFIG),
        (httpx.Response(401, json={"ErrorCode": 10, "Message": "bad token"}), NotSent, Fault.CONFIG),
        (httpx.Response(403, html="<html>no</html>"), NotSent, Fault.UNAVAILABLE),
        (httpx.Response(429), NotSent, None),
        (httpx.ConnectError("refused"), NotSent, None),
        (httpx.Response(422, json={"ErrorCode": 300, "Message": "bad"}), Refused, None),
        (httpx.Response(500, text="oops"), Unknown, None),
        (httpx.ReadTimeout("late"), Unknown, None),
        (httpx.Response(200, json=[item(0)]), Unknown, None),
        (httpx.Response(200, text="garbage"), Unknown, None),
    ],
    ids=["account", "401", "firewall", "429", "no connection", "422", "500", "time-out", "too few", "garbage"],
)
def test_its_bad_answers_mean_what_the_page_says(
    kit: PostmarkKit, answer: httpx.Response | Exception, error: type[Exception], fault: Fault | None
) -> None:
    """Each is one of the three errors."""
    kit.script = [answer]
    with pytest.raises(error) as caught:
        submit(kit, 1, 2)
    assert getattr(caught.value, "fault", None) is fault
    assert KEY not in str(caught.value)
