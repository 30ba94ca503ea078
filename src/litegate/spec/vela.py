"""Define Vela, the configuration of the compiler for Arm's Ethos-U."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import final

from litegate.core.digests import short_digest
from litegate.core.errors import ConfigError

_OWN_CONFIG = "Arm/vela.ini"
"""The configuration file that Vela brings, as its option `--config` names it."""
_SET_HERE = (
    *("--accelerator-config", "--system-config", "--memory-mode", "--config"),
    *("--output-dir", "--output-format", "--enable-debug-db", "--help", "--version"),
)
"""Options that `Vela` has fields for, and those that would change what is written, and where."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Vela:
    """The configuration that Vela compiles a file with for an Ethos-U; needs `litegate[vela]`."""

    accelerator: str
    """The NPU with its MACs per cycle, as in "ethos-u55-128"."""
    system_config: str
    """Clock and memories of the system: NAME of a section `System_Config.NAME` in `config`."""
    memory_mode: str
    """Placement of weights and activations: NAME of a section `Memory_Mode.NAME` in `config`."""
    config: str = ""
    """Vela's configuration file, an `.ini`, relative to the project's root; empty: `Arm/vela.ini`,
    which Vela brings."""
    options: tuple[str, ...] = ()
    """Further options of the command `vela`, as in ("--optimise=Size",)."""
    timeout: float = 300.0
    """Seconds that Vela may take for one file; the default is as for a runtime's message."""

    def __post_init__(self) -> None:
        for name in ("accelerator", "system_config", "memory_mode"):
            value = getattr(self, name)
            if not isinstance(value, str) or not re.fullmatch(r"\w[\w.-]*", value, re.ASCII):
                raise ConfigError(
                    f"Vela({name}=...) must be a name that Vela knows",
                    expected=_EXAMPLES[name],
                    got=repr(value),
                )
        if not isinstance(self.config, str) or (self.config and not self.config.endswith(".ini")):
            raise ConfigError(
                "Vela(config=...) must be the path of a .ini file", got=repr(self.config)
            )
        self._check_options()
        if not 0 < self.timeout < inf:
            raise ConfigError(
                "Vela(timeout=...) must be a number of seconds", got=repr(self.timeout)
            )

    def _check_options(self) -> None:
        options = self.options
        if not isinstance(options, tuple) or not all(_is_option(option) for option in options):
            raise ConfigError(
                "Vela(options=...) must be a tuple of options, each with its value",
                expected='options=("--optimise=Size",)',
                got=repr(options),
            )
        for option in options:
            # Vela takes an option's beginning for the option, too.
            if any(name.startswith(option.partition("=")[0]) for name in _SET_HERE):
                raise ConfigError(
                    f"Vela(options=...) cannot have {option}",
                    expected="an option that litegate does not set itself",
                    remedy=f"use the fields {', '.join(_EXAMPLES)} and config",
                )

    def located(self, project: Path) -> Vela:
        """Return the configuration with an absolute path of its file, if it names one."""
        return replace(self, config=str(project / self.config)) if self.config else self

    @property
    def arguments(self) -> tuple[str, ...]:
        """The options of the command `vela`."""
        return (
            f"--accelerator-config={self.accelerator}",
            f"--system-config={self.system_config}",
            f"--memory-mode={self.memory_mode}",
            f"--config={self.config or _OWN_CONFIG}",
            *self.options,
        )

    @property
    def described(self) -> str:
        """The configuration in words: "ethos-u55-128, Ethos_U55_Deep_Embedded, Shared_Sram"."""
        config = (Path(self.config).name,) if self.config else ()
        names = (self.accelerator, self.system_config, self.memory_mode, *config, *self.options)
        return ", ".join(names)

    def identified(self, project: Path) -> str:
        """Return the configuration in words, with a digest of its file, if it names one.

        Raises ConfigError if the file cannot be read.
        """
        if not self.config:
            return self.described
        try:
            data = (project / self.config).read_bytes()
        except OSError as error:
            raise ConfigError(
                f"Vela's configuration file {self.config} cannot be read",
                got=str(error.strerror or error),
                remedy="correct Vela(config=...): the path starts at the project's root",
            ) from error
        digest = short_digest(hashlib.sha256(data).hexdigest())
        return f"{self.described} ({Path(self.config).name}: sha256 {digest})"


_EXAMPLES = {
    "accelerator": '"ethos-u55-128"',
    "system_config": '"Ethos_U55_High_End_Embedded", a section of the configuration file',
    "memory_mode": '"Shared_Sram", a section of the configuration file',
}


def _is_option(option: object) -> bool:
    return isinstance(option, str) and bool(re.fullmatch(r"--[a-z][a-z0-9-]*(=\S+)?", option))
