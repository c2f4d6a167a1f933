from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from netaflux.config.mistakes import sentence
from netaflux.config.shape import Shape


class Flux(BaseModel):
    type: Literal["flux"]
    url: str


class Lake(BaseModel):
    type: Literal["lake"]
    path: str
    depths: tuple[int, ...] = ()


class Coast(BaseModel):
    """With two kinds of destinations, which pydantic tells apart by a tag that it puts into its paths."""

    destinations: dict[str, Annotated[Flux | Lake, Field(discriminator="type")]] = {}
    height: int | None = None


ROOT = Shape.of(Coast)


@pytest.mark.parametrize(
    ("destination", "told"),
    [
        ({"type": "flux"}, (("destinations", "home", "url"), "is missing")),
        ({"type": "flux", "url": 3}, (("destinations", "home", "url"), "must be text, in quotes")),
        (
            {"type": "lake", "path": "x", "depths": ["deep"]},
            (("destinations", "home", "depths", 0), "must be a whole number"),
        ),
        ({"type": "pond"}, (("destinations", "home"), "has a type that must be one of 'flux', 'lake'")),
        ({}, (("destinations", "home"), "has no type")),
    ],
)
def test_the_kind_of_a_destination_is_no_part_of_a_path(destination: object, told: object) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Coast).validate_python({"destinations": {"home": destination}})

    assert [sentence(error, ROOT) for error in caught.value.errors()] == [told]


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["HEIGHT"], ("height",)),
        (["DESTINATIONS"], ("destinations",)),
        (["DESTINATIONS", "HOME", "DEPTHS"], ("destinations", "Home", "depths")),
        (["Destinations", "Work", "URL"], ("destinations", "Work", "url")),
        (["DESTINATIONS", "WORK", "URL"], ("destinations", "work", "url")),
        (["DESTINATIONS", "", "URL"], None),
        (["DESTINATIONS", "HOME", "DEPTH"], None),
        (["DESTINATIONS", "HOME", "DEPTHS", "0"], None),
        (["HEIGHT", "FEET"], None),
        ([""], None),
    ],
)
def test_words_spell_a_path_in_any_case(words: list[str], path: tuple[str, ...] | None) -> None:
    """Keys are ours and in lower case; a name is spelled as where it stands already, or as it is given."""
    assert ROOT.path_of(words, {"destinations": {"Home": {}}}) == path


def test_every_value_can_be_named() -> None:
    assert list(ROOT.values({"destinations": {"Home": {}}})) == [
        ("destinations", "Home", "type"),
        ("destinations", "Home", "url"),
        ("destinations", "Home", "path"),
        ("destinations", "Home", "depths"),
        ("height",),
    ]
