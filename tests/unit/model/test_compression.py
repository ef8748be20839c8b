"""Gzip: equal bytes give equal bytes, and anything else is said to be damaged."""

import pytest

from cpd_exporter.model.compression import compress, decompress

TEXT = b"an entry\n" * 100


def test_what_is_compressed_is_read_back() -> None:
    assert decompress(compress(TEXT)) == TEXT
    assert compress(TEXT) == compress(TEXT)


@pytest.mark.parametrize("stored", [b"not gzip", compress(TEXT)[:-9]])
def test_damaged_bytes_are_said_to_be_damaged(stored: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not gzip, or damaged$"):
        decompress(stored)


def test_no_bytes_are_said_to_be_none() -> None:
    with pytest.raises(ValueError, match=r"^no bytes at all$"):
        decompress(b"")
