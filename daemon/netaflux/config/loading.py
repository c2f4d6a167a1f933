"""From what is written somewhere to frozen settings, or to all mistakes at once.

environment > credentials directories > file > defaults
"""

import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from netaflux.config import sources
from netaflux.config.contradictions import Mistake, contradictions
from netaflux.config.mistakes import dotted, line, sentence
from netaflux.config.settings import Settings, secrets
from netaflux.config.sources import FILE_VARIABLE, ROOT, Source, responsible
from netaflux.core.errors import ConfigError
from netaflux.core.masking import speaks_of_a_secret
from netaflux.status.settings import StatusSettings

FILE: Final = Path("netaflux/config.toml")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, the file they come from, and what a person should hear about them."""

    settings: Settings
    path: Path | None
    warnings: tuple[str, ...] = ()


def load(path: Path | None, environ: Mapping[str, str], *, root: Path = Path("/")) -> Loaded:
    """Read the configuration: of the file that is named, else of the first that exists where files are.

    `root` holds the system's directories. Raises ConfigError with a line for every mistake that was found.
    """
    found = _found(path, environ, root)
    file, given = _given(found, environ, root)
    if found is None and not any(source.holds(("netatmo", "client_id")) for source in given):
        raise _nothing(environ, root)
    settings = _settled(given)
    exposed = _exposed(settings, found[0], file) if found else ()
    warnings = (*_warnings(given), *exposed, *_overheard(settings, given))
    return Loaded(settings, found[0] if found else None, warnings)


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What can be told of a configuration that has mistakes, for those who look for the reason."""

    settings: Settings
    """Only `state_dir` and the socket's place are set, as far as they are written."""
    path: Path | None = None
    urls: tuple[str, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    keys: tuple[str, ...] = ()
    """The settings that are given somewhere."""


def salvage(path: Path | None, environ: Mapping[str, str], *, root: Path = Path("/")) -> Salvaged:
    """What can be read, however much of it is wrong; never raises ConfigError."""
    found: tuple[Path, str] | None = None
    with suppress(ConfigError):
        found = _found(path, environ, root)
    _, given = _given(found, environ, root)
    texts = [(keys, text) for source in given for keys, text in _texts(source.tree)]
    known = {ROOT.along(keys)[0] for keys, _ in texts}
    return Salvaged(
        _placed(dict(reversed(texts))),
        found[0] if found else path,
        urls=tuple(text for keys, text in texts if keys[-1] in {"api_url", "url"}),
        secrets=tuple(text for keys, text in texts if speaks_of_a_secret(str(keys[-1]))),
        keys=tuple(sorted(dotted(keys) for keys in known if keys and ROOT.along(keys)[1].is_value)),
    )


def _texts(tree: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text of a tree, with its path of keys."""
    if isinstance(tree, str) and path:
        yield path, tree
    elif isinstance(tree, Mapping | list):
        for key, below in tree.items() if isinstance(tree, Mapping) else enumerate(tree):
            yield from _texts(below, (*path, key))


def _placed(texts: Mapping[tuple[str | int, ...], str]) -> Settings:
    """Settings that know their places and nothing else."""
    state, socket = texts.get(("state_dir",)), texts.get(("status", "socket"))
    status = StatusSettings.model_construct(socket=Path(socket) if socket else None)
    return Settings.model_construct(state_dir=Path(state) if state else None, status=status)


def _given(
    found: tuple[Path, str] | None, environ: Mapping[str, str], root: Path
) -> tuple[Source, list[Source]]:
    """The file, and all that is given, the strongest first."""
    file = sources.file(*found) if found else Source(place="environment")
    given = [
        sources.environment(environ, file.tree),
        *(sources.credentials(directory, file.tree) for directory in _secret_places(environ, root)),
        file,
    ]
    return file, given


def _warnings(given: Sequence[Source]) -> Iterator[str]:
    return (warning for source in given for warning in source.warnings)


def _secret_places(environ: Mapping[str, str], root: Path) -> Sequence[Path]:
    """Where systemd puts credentials, then where Docker does."""
    given = environ.get("CREDENTIALS_DIRECTORY")
    return [*([Path(given)] if given else []), root / "run/secrets"]


class _Given(PydanticBaseSettingsSource):
    """A source's tree, for pydantic-settings to lay over the weaker ones."""

    def __init__(self, settings: type[BaseSettings], tree: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._tree = tree

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - its interface
        """One key of the tree; nothing in it needs decoding any more."""
        return self._tree.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(self._tree)


class _Floor(_Given):
    """The weakest source: makes what a missing section lacks the mistake, and sees what all others give."""

    def __init__(self, settings: type[BaseSettings], seen: dict[str, Any]) -> None:
        super().__init__(settings, {"netatmo": {}})
        self._seen = seen

    def __call__(self) -> dict[str, Any]:
        self._seen.update(self.current_state)
        return super().__call__()


def _settled(strongest_first: Sequence[Source]) -> Settings:
    mistakes = [mistake for source in strongest_first for mistake in source.mistakes]
    if strongest_first[-1].mistakes:  # without the file, much would seem to be missing that is not
        raise ConfigError("\n".join(mistakes))
    seen: dict[str, Any] = {}
    settings: Settings | None = None
    wrong: list[Mistake] = []
    try:
        settings = _assembled(strongest_first, seen)
    except ValidationError as error:
        wrong = _of_known_kinds([sentence(each, ROOT) for each in error.errors(include_url=False)])
    wrong.extend(contradictions(seen))
    mistakes += [line(responsible(strongest_first, path), path, what, seen) for path, what in wrong]
    if mistakes or settings is None:
        # a misspelt variable may be why something is missing
        raise ConfigError("\n".join([*mistakes, *_warnings(strongest_first)]))
    return settings


def _of_known_kinds(wrong: Sequence[Mistake]) -> list[Mistake]:
    """Without what a section of an unknown type lacks: it may be right for the type that was meant."""
    unknown = {path[:-1] for path, _ in wrong if path[-1] == "type"}
    return [(path, what) for path, what in wrong if path[-1] == "type" or path[:-1] not in unknown]


def _assembled(strongest_first: Sequence[Source], seen: dict[str, Any]) -> Settings:
    class Assembled(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            *_: PydanticBaseSettingsSource,
            **__: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            trees = (_Given(settings_cls, source.tree) for source in strongest_first)
            return (*trees, _Floor(settings_cls, seen))

    return Assembled()  # type: ignore[call-arg]  # its fields come from the sources


def _found(path: Path | None, environ: Mapping[str, str], root: Path) -> tuple[Path, str] | None:
    """The file to read and what is in it; None where there is none and none was named."""
    named, by = path, ""
    if named is None and environ.get(FILE_VARIABLE, "").strip():
        named, by = Path(environ[FILE_VARIABLE].strip()), f"{FILE_VARIABLE}: "
    for place in [named] if named else _usual(environ, root):
        if (text := _text(place)) is not None:
            return place, text
    if named:
        raise ConfigError(f"{by}{named}: there is no such file", advice="Name a file that exists.")
    return None


def _usual(environ: Mapping[str, str], root: Path) -> Iterator[Path]:
    """Where a file is looked for that nobody named."""
    if (base := Path(environ.get("XDG_CONFIG_HOME", ""))).is_absolute():  # as its specification says
        yield base / FILE
    elif environ.get("HOME"):
        yield Path(environ["HOME"], ".config") / FILE
    yield root / "etc" / FILE


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8-sig")  # Windows' editors put a mark in front
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror or error}",
            advice="Run netaflux as the user that the file belongs to, or name another by --config.",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start + 1})") from error


def _exposed(settings: Settings, path: Path, file: Source) -> Iterator[str]:
    """A warning, where others can read secrets in the file."""
    held = [keys for keys, _ in secrets(settings) if file.holds(keys)]
    if held and path.stat().st_mode & stat.S_IROTH:
        yield f"{path}: every user of this machine can read {dotted(held[0])} in it; try: chmod 640 {path}"


def _overheard(settings: Settings, given: Sequence[Source]) -> Iterator[str]:
    """A warning, where others than this machine can read the metrics."""
    address, path = settings.status.metrics_listen, ("status", "metrics_listen")
    if address is not None and not address.is_loopback:
        wrong = f"whoever reaches {address} can read the metrics, with the names of accounts and devices"
        yield line(responsible(given, path), path, wrong)


def _nothing(environ: Mapping[str, str], root: Path) -> ConfigError:
    looked = " or ".join(str(place) for place in _usual(environ, root))
    return ConfigError(
        f"there is no configuration: no file at {looked}",
        advice="Copy config.example.toml there and fill it in, or name a file by --config.",
    )
