"""`netaflux completion`: tab completion for the shell."""

from typing import Literal

from netaflux.cli.main import application


def completion(shell: Literal["bash", "zsh", "fish"] = "bash", /) -> int:
    """Print the completion script of a shell.

    Example: `netaflux completion bash > ~/.local/share/bash-completion/completions/netaflux`
    """
    print(application().generate_completion(prog_name="netaflux", shell=shell))
    return 0
