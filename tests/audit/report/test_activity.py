from datetime import timedelta

from phigate.audit.report import activity as report_activity
from tests.audit.report.hospital import MONDAY, Hospital, asking, november

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
BEGIN = MONDAY - 60 * DAY


def told(tmp_path, *parts):
    hospital = Hospital()
    for part in parts:
        part(hospital)
    hospital.write(tmp_path / "journal")
    with asking(tmp_path / "journal") as asked:
        return report_activity.activity(asked)


def steady(who, *, until=MONDAY + 20 * DAY, count=6, since=BEGIN):
    def write(hospital):
        for day in range((until - since).days):
            for at in range(count):
                hospital.ask(since + day * DAY + at * HOUR, who, outcome=None)

    return write


def burst(who, at, count, **options):
    def write(hospital):
        for each in range(count):
            more = {name: value(each) if callable(value) else value for name, value in options.items()}
            hospital.ask(at + timedelta(seconds=each), who, **more)

    return write


def kinds(found):
    return sorted((each.subject, each.what.kind, each.what.count) for each in found.told.rows)


def test_steady_people_are_measured_and_nothing_is_told(tmp_path):
    found = told(tmp_path, steady("ada"), steady("ben"), steady("cleo", until=BEGIN + 20 * DAY))
    assert (kinds(found), found.judged, found.unjudged) == ([], 2, 0)
    assert found.journal == BEGIN.date()


def test_each_persons_own_days_are_judged(tmp_path):
    found = told(
        tmp_path,
        steady("ada"),
        steady("ben"),
        steady("cleo"),
        steady("dara"),
        burst("ada", MONDAY + 3 * DAY, 100),
        burst("ben", MONDAY + 3 * DAY + 12 * HOUR, 5),
        burst("cleo", MONDAY + 3 * DAY, 20, patients=lambda at: range(at, at + 1), shown=True),
        burst("dara", MONDAY + 3 * DAY, 12, verb="deny"),
        burst("eve", MONDAY + 4 * DAY, 3),
    )
    assert kinds(found) == [
        ("ada", "volume", 106),
        ("ben", "odd-hours", 5),
        ("cleo", "many-patients", 20),
        ("cleo", "volume", 26),
        ("dara", "repeated-denials", 12),
        ("eve", "new-subject", 3),
    ]
    assert [each.subject for each in found.told.rows][:2] == ["cleo", "ada"]
    assert (found.judged, found.unjudged) == (4, 1)


def test_who_was_there_long_ago_is_not_new(tmp_path):
    found = told(tmp_path, steady("ada", since=BEGIN - 100 * DAY, until=BEGIN), burst("ada", MONDAY, 3), steady("ben"))
    assert kinds(found) == []


def test_a_number_and_a_name_are_one_patient(tmp_path):
    found = told(tmp_path, burst("ada", MONDAY, 1, patients=range(49), shown=True))
    assert kinds(found) == []
    assert kinds(told(tmp_path, burst("ada", MONDAY, 1, patients=range(50), shown=True))) == [
        ("ada", "many-patients", 50)
    ]


def test_addresses_of_bearers_that_were_not_believed(tmp_path):
    def refused(hospital):
        for minute, count in ((0, 3), (1, 40), (2, 1)):
            hospital.event(
                MONDAY + timedelta(minutes=minute),
                "refused",
                client={"ip": "198.51.100.7"},
                count=count,
                reasons={"expired": count},
            )
        hospital.event(MONDAY, "refused", client={"ip": "10.0.0.1"}, count=2, reasons={"expired": 2})

    found = told(tmp_path, refused)
    assert found.addresses.rows == [("198.51.100.7", 44, 40), ("10.0.0.1", 2, 2)]
    assert (found.told.total, found.journal) == (0, None)


def test_a_table_of_very_many_is_cut(tmp_path):
    crowd = [burst(f"p{at:03}", MONDAY, 1) for at in range(130)]
    found = told(tmp_path, steady("ada"), *crowd)
    assert (len(found.told.rows), found.told.total, found.told.more) == (100, 130, 30)


def test_a_period_before_the_journal_began(tmp_path):
    hospital = Hospital()
    hospital.ask(MONDAY + 300 * DAY)
    hospital.write(tmp_path / "journal")
    with asking(tmp_path / "journal", november()) as asked:
        found = report_activity.activity(asked)
    assert (found.judged, found.unjudged, found.told.total) == (0, 0, 0)
