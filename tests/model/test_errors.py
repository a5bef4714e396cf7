"""Errors say whose fault it is, what is wrong and what to do next."""

import pytest

from trueup.model import errors


def test_bad_input_names_field_value_and_remedy() -> None:
    error = errors.BadInput("price", "-1", "not positive", remedy="Mend the row.")
    assert str(error) == "price='-1': not positive Mend the row."
    assert (error.field, error.value, error.problem, error.remedy) == ("price", "-1", "not positive", "Mend the row.")
    assert error.message == "price='-1': not positive"


def test_an_unknown_instrument_says_how_to_define_it() -> None:
    error = errors.UnknownInstrument("XYZ")
    assert (error.field, error.value) == ("instrument", "XYZ")
    assert "--instruments" in error.remedy


def test_an_unknown_tag_names_the_version_that_cannot_read_it() -> None:
    assert "version 0.1 cannot read it" in str(errors.UnknownTag("fill/9", "0.1"))


def test_a_venue_error_keeps_the_venues_own_words() -> None:
    error = errors.Rejected("The order was refused.", venue_code="51", venue_text="insufficient margin")
    assert (str(error), error.remedy) == ("The order was refused.", "")
    assert (error.venue_code, error.venue_text) == ("51", "insufficient margin")


@pytest.mark.parametrize(
    ("error", "family"),
    [
        (errors.UnknownInstrument, errors.BadInput),
        (errors.NotFound, errors.TrueupError),
        (errors.DirectoryLocked, errors.StorageError),
        (errors.JournalFailed, errors.StorageError),
        (errors.JournalDamaged, errors.StorageError),
        (errors.StaleEpoch, errors.StorageError),
        (errors.ViewsFailed, errors.StorageError),
        (errors.Busy, errors.TrueupError),
        (errors.RateLimited, errors.VenueError),
        (errors.AuthenticationFailed, errors.VenueError),
        (errors.Unavailable, errors.VenueError),
        (errors.OutcomeUnknown, errors.VenueError),
        (errors.Malformed, errors.VenueError),
    ],
)
def test_whose_fault_it_is(error: type[errors.TrueupError], family: type[errors.TrueupError]) -> None:
    assert issubclass(error, family)


def test_codes_tell_errors_apart() -> None:
    def family(error: type[errors.TrueupError]) -> list[type[errors.TrueupError]]:
        return [error, *(member for child in error.__subclasses__() for member in family(child))]

    codes = [error.code for error in family(errors.TrueupError) if error.__module__ == errors.__name__]
    assert len(set(codes) | {"bad_input"}) == len(codes) - codes.count("bad_input") + 1
