"""The page that lists commands and parameters."""

from tools.reference import PAGE, reference


def test_the_reference_is_that_of_the_code() -> None:
    assert PAGE.read_text() == reference(), "run `make reference`"
