"""Privacy: what must go goes, what is not personal stays, and a hash tells nobody who it was."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.data.privacy import DEMO_KEY, hash_ids, scrub


def scrubbed(text: str) -> str:
    return str(scrub(pd.Series([text], dtype="str"))[0][0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mine is jane.doe@example.com.", "Mine is [email]."),
        ("jane_doe+trips@mail.example.co.uk, thanks", "[email], thanks"),
        ("Write to <JANE@EXAMPLE.ORG>!", "Write to <[email]>!"),
        ("mailto:j-d@my-host.org", "mailto:[email]"),
        ("ü.müller@exämple.de", "[email]"),
        ("a@b.org or c@d.org", "[email] or [email]"),
        ("o'brien@example.com", "[email]"),
    ],
)
def test_e_mail_addresses_are_replaced(text: str, expected: str) -> None:
    """The whole address goes, the words around it stay."""
    assert expected == scrubbed(text)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(address=st.emails())
def test_no_e_mail_address_survives(address: str) -> None:
    """Any address that the standard allows, in the middle of a sentence."""
    assert scrubbed(f"write to {address} please") == "write to [email] please"


@pytest.mark.parametrize(
    "number",
    [
        "555-0123",
        "212-555-0123",
        "212.555.0123",
        "(212) 555-0123",
        "(212)555-0123",
        "+1 212 555 0123",
        "+1 (212) 555-0123",
        "2125550123",
        "+12125550123",
        "020 7946 0958",
        "07700 900123",
        "+44 7700 900123",
        "030 1234567",
        "+49 30 1234567",
        "06 12 34 56 78",
        "+33 6 12 34 56 78",
        "98765 43210",
        "06.12.34.56.78",
        "01/23 45 67 89",
    ],
)
def test_telephone_numbers_are_replaced(number: str) -> None:
    """American, British, German, French and Indian ways to write one; nothing of it stays."""
    assert scrubbed(f"Call me at {number}. Please!") == "Call me at [phone]. Please!"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Booking X7K2PQ. Who pays?", "Booking [booking]. Who pays?"),
        ("X7K2PQ was cancelled", "[booking] was cancelled"),
        ("My booking is QWERTZ.", "My booking is [booking]."),
        ("booking code is AB1234", "booking code is [booking]"),
        ("PNR QWERTZ", "PNR [booking]"),
        ("pnr: AB1234", "pnr: [booking]"),
        ("Confirmation number: QWERTZ", "Confirmation number: [booking]"),
        ("Reservation QWERTZ shows nothing", "Reservation [booking] shows nothing"),
        ("My reference #QWERTZ", "My reference #[booking]"),
    ],
)
def test_booking_codes_are_replaced(text: str, expected: str) -> None:
    """Six letters and digits together, or six letters where the words before them say what they are."""
    assert expected == scrubbed(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My name is Anna Schmidt.", "My name is [name]."),
        ("I am Anna Schmidt, and I waited.", "I am [name], and I waited."),
        ("I'm Anna Schmidt and I waited.", "I'm [name] and I waited."),
        ("I’m Anna Schmidt and I waited.", "I’m [name] and I waited."),
        ("This is Anna O'Brien-Schmidt, hello", "This is [name], hello"),
        ("Best regards,\nLudwig van Beethoven", "Best regards,\n[name]"),
        ("Thanks, John A. Smith", "Thanks, [name]"),
        ("Too late. - Anna Schmidt", "Too late. - [name]"),
        ("Too late.\n— Anna Schmidt.", "Too late.\n— [name]."),
        ("My name is José García.", "My name is [name]."),
        ("My name is Émile Zola.", "My name is [name]."),
        ("Regards, Łukasz Nowak", "Regards, [name]"),
        ("Regards, Ana María López", "Regards, [name]"),
    ],
)
def test_names_are_replaced_where_words_announce_them(text: str, expected: str) -> None:
    """An introduction, a greeting at the end, or a dash; names with accents and several parts too."""
    assert expected == scrubbed(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("order 1234567, call 2125550123", "order 1234567, call [phone]"),
        ("My order: +12125550123", "My order: [phone]"),
        ("order 212-555-0123", "order [phone]"),
        ("On 01/02/2013 call 555-0123", "On 01/02/2013 call [phone]"),
        ("reorder 1234567", "reorder [phone]"),
    ],
)
def test_a_date_or_an_order_hides_no_telephone_number_beside_it(text: str, expected: str) -> None:
    """Only the bare number right behind the word is the order's; a number that is written like a telephone's is one."""
    assert expected == scrubbed(text)


def test_everything_in_one_ticket_is_replaced() -> None:
    """One pattern does not get in the way of another."""
    text = "Flight UA1545, booking X7K2PQ. Call 212-555-0123 or write to anna@example.com. Regards, Anna Schmidt"
    expected = "Flight UA1545, booking [booking]. Call [phone] or write to [email]. Regards, [name]"
    assert expected == scrubbed(text)


@pytest.mark.parametrize(
    "text",
    [
        "The alert for UA1545 came too late.",
        "UA 1545, B6 1018 and AA 1",
        "The alert for B61018 came too late.",
        "9E3325 is listed with the wrong destination.",
        "I waited 15 minutes.",
        "15-20 minutes late",
        "UA 1545 30 minutes late",
        "Since 2013 I fly from gate B22, seat 12A.",
        "Boarding at 10:30, now 11.45",
        "I paid $12.50 for it, or 1,200 dollars.",
        "A Boeing 737-800 with 149 seats",
        "The flight on 2013-03-01 to LAX",
        "2013/3/1, 2013.03.01 or 2013-03-01 10:30",
        "On 01/02/2013 and 1/2/2013 at 10:30",
        "Am 01.02.2013 oder 31-12-13",
        "From 01/02/2013 - 03/02/2013",
        "order 1234567",
        "Order #1234567 and invoice no. 12345678",
        "flight 1234",
        "Case number 1234567 is open.",
        "JFK to SFO is 2586 miles. Case 123456 is open.",
        "Thank you very much!",
        "DELAYED AGAIN, UNBELIEVABLE",
        "I am very disappointed. Thanks for nothing.",
        "",
    ],
)
def test_what_is_not_personal_stays(text: str) -> None:
    """Flights, gates, seats, planes, prices, times, dates and plain words."""
    assert text == scrubbed(text)


def test_scrubbing_twice_changes_nothing_more() -> None:
    """Placeholders are not personal data."""
    text = "Booking X7K2PQ, 212-555-0123, anna@example.com. Regards, Anna Schmidt"
    assert scrubbed(text) == scrubbed(scrubbed(text))


def test_a_missing_text_stays_missing() -> None:
    """Null in, null out, in its place."""
    found = scrub(pd.Series(["a@b.org", None, "fine"], dtype="str", index=[5, 3, 4]))[0]
    assert ({5: "[email]", 4: "fine"}, [3]) == (found.dropna().to_dict(), found.index[found.isna()].tolist())


def test_a_number_where_a_text_should_be_is_kept_as_text() -> None:
    """A ticket that says only 42 does not vanish, and a telephone number that came as a number is one."""
    assert ["42", "[phone]"] == scrub(pd.Series([42, 2125550123], dtype="object"))[0].tolist()


@pytest.mark.parametrize("texts", [[], [None, None]])
def test_a_day_without_any_text_stays_as_it_is(texts: list[None]) -> None:
    """No rows, or only ratings."""
    found = scrub(pd.Series(texts, dtype="str"))[0]
    assert (len(texts), True) == (len(found), bool(found.isna().all()))


def test_rows_with_the_same_index_are_scrubbed_one_by_one() -> None:
    """Frames that were put together may repeat an index."""
    found = scrub(pd.Series(["a@b.org", None, "fine"], dtype="str", index=[0, 0, 1]))[0]
    assert ["[email]", "fine"] == found.dropna().tolist()


def test_a_hash_is_the_start_of_hmac_sha256() -> None:
    """The second test case of RFC 4231."""
    assert ["5bdcc146bf60754e"] == hash_ids(pd.Series(["what do ya want for nothing?"]), "Jefe").tolist()


def test_the_same_id_has_the_same_hash_everywhere() -> None:
    """A user is followed over tables and days without being known."""
    one = hash_ids(pd.Series(["user 1", "user 2", "user 1"]), DEMO_KEY)
    two = hash_ids(pd.Series(["user 2", "user 1"]), DEMO_KEY)
    assert [two[1], two[0], two[1]] == one.tolist()


def test_another_key_makes_every_id_another_one() -> None:
    """Who does not have the key cannot try ids one by one."""
    ids = pd.Series([f"user {n}" for n in range(100)])
    assert len({*hash_ids(ids, "one key"), *hash_ids(ids, "another key")}) == 200


def test_a_missing_id_stays_missing() -> None:
    """Nobody is not somebody."""
    found = hash_ids(pd.Series(["user 1", None], index=[8, 9]), DEMO_KEY)
    assert {8: False, 9: True} == found.isna().to_dict()


def test_only_missing_ids_stay_missing() -> None:
    """A day of users who are not logged in."""
    assert [True, True] == hash_ids(pd.Series([None, None]), DEMO_KEY).isna().tolist()


@pytest.mark.parametrize("ids", [[42], [42, None]])
def test_a_number_and_its_text_are_the_same_id(ids: list[int | None]) -> None:
    """One table may hold ids as text, another as numbers, and a third as numbers with a gap, which makes them floats."""
    assert hash_ids(pd.Series(["42"]), DEMO_KEY)[0] == hash_ids(pd.Series(ids), DEMO_KEY)[0]
