"""What people paste into a configuration, and what may carry a password."""

import pytest
from pydantic import SecretStr

from netaflux.core.settings import without_wrapping


@pytest.mark.parametrize("pasted", ["5e7c", ' "5e7c"\n', "'5e7c'", "\t“5e7c”\r\n"])
def test_what_was_pasted_loses_what_is_around_it_as_a_secret_too(pasted: str) -> None:
    assert without_wrapping(pasted) == "5e7c"
    assert without_wrapping(SecretStr(pasted)) == SecretStr("5e7c")


@pytest.mark.parametrize("value", [7, None, ["5e7c"]])
def test_what_is_no_text_stays_for_others_to_judge(value: object) -> None:
    assert without_wrapping(value) == value
