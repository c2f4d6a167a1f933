"""What commands are asked: whatever else comes over the socket is refused, and nothing is done."""

from typing import TypeVar

from pydantic import ValidationError

from netaflux.commands.words import Json
from netaflux.core.errors import UsageError
from netaflux.core.settings import Part

R = TypeVar("R", bound=Part)


class Nothing(Part):
    """What takes no request."""


class OfAccount(Part):
    """What asks one account, or all."""

    account: str | None = None


class OfHome(OfAccount):
    """What asks one home, or all that there are."""

    home: str | None = None


def understood(command: str, form: type[R], asked: Json) -> R:
    """The request in its form. Raises UsageError with the first mistake, and never with a value."""
    try:
        return form.model_validate(asked)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(each) for each in first["loc"])
        said = f"{where}: {first['msg']}" if where else first["msg"]
        raise UsageError(f"{command} was asked badly: {said}") from error
