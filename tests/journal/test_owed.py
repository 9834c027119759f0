"""What is owed: once an exchange, in the words of what failed last, and only what can be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from phigate.journal import chain
from phigate.journal.commit import JournalDown
from phigate.journal.head import Head
from phigate.journal.owed import Owed
from tests.journal.samples import NOW, request, response

if TYPE_CHECKING:
    from phigate.journal.head import Receipt


class Course:
    """A course that takes all records, none, or only those that a line can hold."""

    def __init__(self) -> None:
        self.commit: Any = object()
        self.kept, self.told, self.fault = Head(), list[Any](), ""

    def put(self, kind: chain.Kind, fields: Any, _now: object) -> None:
        if self.fault:
            raise JournalDown(self.fault)
        if fields.get("findings") == "too many":
            raise chain.Unrecordable("x")
        self.told.append((kind, fields["exchange"], fields["outcome"], fields.get("status")))


class Asked:
    """The receipt of a request."""

    def __init__(self, course: Course, *, done: bool) -> None:
        self.fields, self.commit, self.done = request("ex-1"), course.commit, done


@pytest.fixture
def course() -> Course:
    return Course()


def paid(owed: Owed, course: Any) -> Any:
    owed.pay(course, NOW)
    return course.told


def refused(owed: Owed, asked: Any) -> Receipt:
    owed.refused(asked)
    return asked  # type: ignore[no-any-return]  # a stand-in


def test_an_answer_is_told_once_whatever_failed(course: Course) -> None:
    owed = Owed()
    owed.withheld(response("ex-1"))
    owed.withheld(response("ex-1"))
    assert len(owed) == 1
    assert paid(owed, course) == [("response", "ex-1", "unrecorded", 503)]
    assert len(owed) == 0


def test_what_cannot_be_told_now_is_still_owed(course: Course) -> None:
    owed = Owed()
    owed.withheld(response("ex-1"))
    course.fault = "down"
    with pytest.raises(JournalDown):
        paid(owed, course)
    course.fault = ""
    assert len(paid(owed, course)) == 1


def test_a_request_is_answered_only_if_it_was_kept(course: Course) -> None:
    owed = Owed()
    asked: Any = refused(owed, Asked(course, done=False))
    assert paid(owed, course) == []
    assert len(owed) == 1
    asked.done = True
    course.kept.note("request", asked.fields, "f")
    assert paid(owed, course) == [("response", "ex-1", "unrecorded", 503)]


def test_a_request_that_was_lost_with_its_file_is_owed_nothing(course: Course) -> None:
    owed = Owed()
    refused(owed, Asked(course, done=False))
    course.commit = object()
    assert paid(owed, course) == []
    assert len(owed) == 0


def test_a_second_record_that_was_lost_leaves_the_first_one_answered(course: Course) -> None:
    owed = Owed()
    refused(owed, Asked(course, done=True))
    course.kept.note("request", request("ex-1"), "f")
    refused(owed, Asked(course, done=False))
    course.commit = object()
    assert paid(owed, course) == [("response", "ex-1", "unrecorded", 503)]


def test_what_no_line_can_hold_still_has_its_outcome(course: Course) -> None:
    owed = Owed()
    owed.withheld(response("ex-1") | {"findings": "too many"})
    assert paid(owed, course) == [("response", "ex-1", "unrecorded", 503)]
