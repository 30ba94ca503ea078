"""Parse the options of the gate into one object."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from litegate.core.errors import ConfigError
from litegate.core.option_table import OPTIONS, Option

__all__ = ["OPTIONS", "GateOptions", "parse"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GateOptions:
    """The parsed options of one run; paths are absolute."""

    project: Path
    models: Path
    checks: Path
    store: Path
    """The folder of artifacts; with `remote`, the cache before it."""
    remote: str
    """The address of a bucket of artifacts; empty without one."""
    store_readonly: bool
    """True if the run writes nothing to the bucket."""
    store_public_key: str
    """The key with which entries of the bucket must be signed; empty if any entry is used."""
    store_required: bool
    """True if the run fails without the bucket."""
    data: Path | None
    report: Path
    history: Path
    only_models: tuple[str, ...]
    only_changed: bool
    """True if models that are as in the base are not judged."""
    only_recipes: tuple[str, ...]
    only_runtimes: tuple[str, ...]
    runtime_samples: int
    """The most samples that are judged on runtimes besides the default; 0 for all."""
    against: str
    """The ref whose merge base the run is compared with, "auto" or "none"."""
    anchor: str
    """The pinned ref that the run is compared with too, or "none"."""
    strict: bool
    device: str
    """"cpu" if all models are built on the CPU; else "declared"."""
    builder: str
    """"local" or "ray"."""
    ray_wait: float
    """Time limit in seconds for waiting until a node has a build's resources."""
    build_timeout: float
    lock_timeout: float
    """Time limit in seconds for waiting for a lock of the store."""
    prove: bool
    """True if the run plants faults in accepted artifacts."""
    prove_families: tuple[str, ...]
    prove_seed: int
    prove_budget: float
    """Time limit in seconds for one candidate."""
    prove_full: bool
    in_ci: bool
    """True if the environment variable CI is set; missing data are an error then."""


def parse(
    project: Path,
    flags: Mapping[str, Any],
    settings: Mapping[str, str],
    environment: Mapping[str, str] | None = None,
) -> GateOptions:
    """Parse all options. Raises ConfigError for a wrong value, and names the allowed ones."""
    env = os.environ if environment is None else environment
    read = {o.name: _value(o, flags.get(o.name), env, settings.get(o.name)) for o in OPTIONS}
    data, store = read["litegate_data"], read["litegate_store"]
    return GateOptions(
        project=project,
        models=project / read["litegate_models"],
        checks=project / read["litegate_checks"],
        store=project / (read["litegate_cache"] if isinstance(store, str) else store),
        remote=store if isinstance(store, str) else "",
        store_readonly=read["litegate_store_readonly"],
        store_public_key=read["litegate_store_public_key"],
        store_required=read["litegate_store_required"],
        data=project / data if data else None,
        report=project / read["litegate_report"],
        history=project / read["litegate_history"],
        only_models=read["litegate_model"],
        only_changed=read["litegate_changed"],
        only_recipes=read["litegate_recipe"],
        only_runtimes=read["litegate_runtime"],
        runtime_samples=read["litegate_runtime_samples"],
        against=read["litegate_against"],
        anchor=read["litegate_anchor"],
        strict=read["litegate_strict"],
        device=read["litegate_device"],
        builder=read["litegate_builder"],
        ray_wait=read["litegate_ray_wait"],
        build_timeout=read["litegate_build_timeout"],
        lock_timeout=read["litegate_lock_timeout"],
        prove=read["litegate_prove"],
        prove_families=read["litegate_prove_family"],
        prove_seed=read["litegate_prove_seed"],
        prove_budget=read["litegate_prove_budget"],
        prove_full=read["litegate_prove_full"],
        in_ci=env.get("CI", "").lower() not in ("", "0", "false"),
    )


def _value(option: Option, flag: Any, env: Mapping[str, str], setting: str | None) -> Any:
    sources = (
        (option.flag, _text(flag)),
        (option.env, env.get(option.env)),
        (f"the setting {option.name}", setting),
        ("the default", option.default),
    )
    values = [(source, text) for source, text in sources if text is not None]
    if option.refuses_empty and not values[0][1].strip():
        raise ConfigError(
            f"{values[0][0]} is empty",
            expected=option.allowed,
            remedy="set the variable that supplies it, or use none to compare with no commit",
        )
    source, text = next(((source, text) for source, text in values if text), values[-1])
    try:
        return option.parse(text)
    except (ValueError, KeyError):
        raise ConfigError(
            f"{source} has an invalid value", expected=option.allowed, got=repr(text)
        ) from None


def _text(flag: Any) -> str | None:
    if flag is None:
        return None
    if isinstance(flag, bool):
        return str(flag).lower()
    return ",".join(flag) if isinstance(flag, list) else str(flag)
