import pytest

from phigate.audit.index.database import open_index
from phigate.audit.questions import disclosures, who_saw
from phigate.audit.questions.disclosures import Account
from tests.audit.questions.saw import NAME, NUMBER, answered, asked, written

ALL = {NUMBER: 1, NAME: 2}


@pytest.fixture
def index(tmp_path):
    with open_index(written(tmp_path)[0]) as opened:
        yield opened


def accounted(index, **options):
    account = Account()
    return list(disclosures.rows(who_saw.seen(index, ALL), account, **options)), account


def test_what_was_shown_as_it_was_is_a_row(index):
    rows, account = accounted(index)
    assert [(row["recipient"], row["what"], row["purpose"], row["exempt"], row["exchange"]) for row in rows] == [
        ("ada", "answer with MRN", "treatment", "164.528(a)(1)(i)", "ex-1"),
        ("=dan", "answer with PERSON", "", "", "ex-4"),
    ]
    assert set(rows[0]) == set(disclosures.COLUMNS)
    assert (rows[0]["address"], rows[0]["recipient_roles"]) == ("192.0.2.7", "clinician")
    assert (account.rows, len(account.recipients), account.model, account.untold) == (2, 2, 1, 1)
    assert account.exempt == {"treatment": 1}


def test_what_need_not_be_accounted_for_is_counted_where_it_is_left_out(index):
    rows, account = accounted(index, exempt=False)
    assert [row["recipient"] for row in rows] == ["=dan"]
    assert (account.rows, account.exempt) == (2, {"treatment": 1})


def test_the_model_server_is_a_row_on_demand(index):
    rows, _ = accounted(index, model_server=True)
    assert [(row["recipient"], row["what"]) for row in rows] == [
        ("ada", "answer with MRN"),
        ("model server of ward", "prompt with MRN, PERSON"),
        ("=dan", "answer with PERSON"),
    ]
    assert rows[1]["recipient_issuer"] == rows[1]["address"] == rows[1]["recipient_roles"] == ""


@pytest.mark.parametrize(
    ("purpose", "exempt"),
    [
        *(("treatment", True), ("payment", True), ("operations", True)),
        *(("research", False), ("emergency", False), ("research+treatment", False), (None, False)),
    ],
)
def test_only_three_purposes_exempt(tmp_path, purpose, exempt):
    rows = [asked("ex-1", "ada", purpose=purpose), answered("ex-1", NUMBER, revealed=[NUMBER])]
    with open_index(written(tmp_path, rows)[0]) as index:
        ((row,), account) = accounted(index)
    assert bool(row["exempt"]) == exempt
    assert account.exempt.total() == exempt


def test_what_it_holds_and_what_not_is_told(index):
    _, account = accounted(index)
    assert disclosures.told(account, exempt=True, model_server=False) == [
        "shown as it was to a person: 2 times, to 2 people",
        "for treatment, payment or operations, which 45 CFR 164.528(a)(1)(i) exempts: 1, listed, and marked",
        f"sent to the model server as it was: 1 times, not listed (--model-server): {disclosures.NO_RECIPIENT}",
        "answers whose records do not say whether it was masked: 1, not listed (who-saw)",
    ]
    short = disclosures.told(Account(), exempt=False, model_server=True)
    assert short[1].endswith(": 0, left out")
    assert short[2].endswith(": 0 times, listed")
    assert len(short) == 3
