"""Declare the options of the gate, and parse them into one object."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from litegate.core.errors import ConfigError
from litegate.core.option import (
    Option,
    one_of,
    parse_count,
    parse_folder,
    parse_names,
    parse_path,
    parse_path_or_url,
    parse_seconds,
    parse_switch,
)

OPTIONS = (
    Option(
        name="litegate_model",
        parse=parse_names,
        allowed="names of models",
        default="",
        help="gate only this model (may be given several times)",
        metavar="NAME",
        repeated=True,
    ),
    Option(
        name="litegate_recipe",
        parse=parse_names,
        allowed="names of recipes",
        default="",
        help="build and gate only this recipe and its reference (may be given several times)",
        metavar="NAME",
        repeated=True,
    ),
    Option(
        name="litegate_runtime",
        parse=parse_names,
        allowed="names of runtimes",
        default="",
        help="judge answers only on this runtime (may be given several times)",
        metavar="NAME",
        repeated=True,
    ),
    Option(
        name="litegate_runtime_samples",
        parse=parse_count,
        allowed="a whole number of samples, 0 for all",
        default="0",
        help="judge at most this many samples on runtimes besides the default; checks that may "
        "stop early choose their own",
        env="LITEGATE_RUNTIME_SAMPLES",
        metavar="N",
    ),
    Option(
        name="litegate_against",
        parse=str.strip,
        refuses_empty=True,
        allowed="a git ref, auto or none",
        default="none",
        help="compare the change with its merge base with this ref; auto finds the target branch",
        metavar="REF",
        dropped="litegate_",
        personal=True,
    ),
    Option(
        name="litegate_anchor",
        parse=str.strip,
        refuses_empty=True,
        allowed="a git ref or none",
        default="none",
        help="also compare models with this pinned commit, such as the tag of the last release",
        metavar="REF",
        dropped="litegate_",
    ),
    Option(
        name="litegate_strict",
        parse=parse_switch,
        allowed="true or false",
        default="false",
        help="inconclusive verdicts fail the run",
    ),
    Option(
        name="litegate_store",
        parse=parse_path_or_url,
        allowed="a folder, or a bucket as s3://BUCKET/PREFIX, az://CONTAINER/PREFIX or "
        "gs://BUCKET/PREFIX",
        default=".litegate/store",
        help="folder or bucket of built artifacts",
        env="LITEGATE_STORE",
        metavar="DIR",
        personal=True,
    ),
    Option(
        name="litegate_cache",
        parse=parse_path,
        allowed="a folder",
        default=".litegate/store",
        help="folder of local copies, if the store is a bucket",
        env="LITEGATE_CACHE",
        metavar="DIR",
        personal=True,
    ),
    Option(
        name="litegate_store_readonly",
        parse=parse_switch,
        allowed="true or false",
        default="false",
        help="write nothing to the bucket",
        env="LITEGATE_STORE_READONLY",
        personal=True,
    ),
    Option(
        name="litegate_store_public_key",
        parse=str.strip,
        allowed="a public key of `litegate store keygen`",
        default="",
        help="use only entries of the bucket that the private key of this public key has signed",
        metavar="KEY",
    ),
    Option(
        name="litegate_store_required",
        parse=parse_switch,
        allowed="true or false",
        default="false",
        help="fail if the bucket cannot be used, instead of going on with the folder",
        env="LITEGATE_STORE_REQUIRED",
        personal=True,
    ),
    Option(
        name="litegate_data",
        parse=parse_folder,
        allowed="a folder",
        default="",
        help="folder that is searched first for data sets",
        env="LITEGATE_DATA",
        metavar="DIR",
        personal=True,
    ),
    Option(
        name="litegate_report",
        parse=parse_path,
        allowed="a folder",
        default=".litegate/report",
        help="folder for report.json, report.html and failing inputs",
        metavar="DIR",
        personal=True,
    ),
    Option(
        name="litegate_history",
        parse=parse_path,
        allowed="a folder",
        default=".litegate/history",
        help="folder for the verdicts of each commit, which the page shows over time",
        metavar="DIR",
        personal=True,
    ),
    Option(
        name="litegate_device",
        parse=one_of("declared", "cpu"),
        allowed="declared or cpu",
        default="declared",
        help="cpu builds models on the CPU that declare a GPU",
        env="LITEGATE_DEVICE",
        metavar="DEVICE",
        personal=True,
    ),
    Option(
        name="litegate_build_timeout",
        parse=parse_seconds,
        allowed="seconds above 0",
        # A hung build blocks CI for so long. Steps that report no progress must take less time:
        # loading data, quantization, conversion, the user's builder.
        default="600",
        help="stop a build that reports no progress for this long",
        metavar="SECONDS",
        personal=True,
    ),
    Option(
        name="litegate_lock_timeout",
        parse=parse_seconds,
        allowed="seconds above 0",
        # Another run may hold a lock of the store while it trains.
        default="3600",
        help="stop waiting for another run's lock of the store after this long",
        metavar="SECONDS",
        personal=True,
    ),
    Option(
        name="litegate_prove",
        parse=parse_switch,
        allowed="true or false",
        default="false",
        help="plant known faults in accepted artifacts, and report which of them the checks notice",
        dropped="litegate_",
        personal=True,
    ),
    Option(
        name="litegate_prove_family",
        parse=parse_names,
        allowed="families of faults",
        default="",
        help="with --prove, plant only the faults of this family (may be given several times)",
        metavar="FAMILY",
        repeated=True,
        dropped="litegate_",
        personal=True,
    ),
    Option(
        name="litegate_prove_seed",
        parse=int,
        allowed="a whole number",
        default="0",
        help="with --prove, the random seed of the faults",
        metavar="N",
        dropped="litegate_",
        personal=True,
    ),
    Option(
        name="litegate_prove_budget",
        parse=parse_seconds,
        allowed="seconds above 0",
        default="300",
        help="with --prove, time limit for one candidate; faults not tried by then are "
        "reported as a failure",
        metavar="SECONDS",
        dropped="litegate_",
        personal=True,
    ),
    Option(
        name="litegate_prove_full",
        parse=parse_switch,
        allowed="true or false",
        default="false",
        help="with --prove, try more (takes hours): latency under every fault, 100 "
        "comparisons of identical models, 20 rebuilds from other seeds",
        dropped="litegate_",
        personal=True,
    ),
    Option(
        name="litegate_checks",
        parse=parse_path,
        allowed="a folder",
        default="checks",
        help="folder of checks; litegate acts only on tests in it",
        metavar="DIR",
    ),
    Option(
        name="litegate_models",
        parse=parse_path,
        allowed="a folder",
        default="models",
        help="folder of model files",
        metavar="DIR",
    ),
)


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
        only_recipes=read["litegate_recipe"],
        only_runtimes=read["litegate_runtime"],
        runtime_samples=read["litegate_runtime_samples"],
        against=read["litegate_against"],
        anchor=read["litegate_anchor"],
        strict=read["litegate_strict"],
        device=read["litegate_device"],
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
