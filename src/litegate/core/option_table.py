"""List the options of the gate, in the order of the help, and parse the text of their values.

A parser raises ValueError or KeyError for a value that is not allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

_URL = re.compile(r"(s3|az|gs)://[\w.-]+(/[\w.-]+)*/?", re.ASCII)
"""The address of a bucket and a prefix in it; credentials have no place in it."""


def parse_path(text: str) -> Path:
    return Path(text).expanduser()


def parse_path_or_url(text: str) -> Path | str:
    if "://" not in text:
        return parse_path(text)
    if not _URL.fullmatch(text):
        raise ValueError(text)
    return text.rstrip("/")


def parse_folder(text: str) -> Path | None:
    return parse_path(text) if text else None


def parse_names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.replace(",", " ").split() if name)


def parse_seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def parse_count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


def one_of(*words: str) -> Callable[[str], str]:
    """Return a parser that takes some words."""

    def parse_word(text: str) -> str:
        if text.strip() not in words:
            raise ValueError(text)
        return text.strip()

    return parse_word


def parse_switch(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    return words[text.strip().lower()]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option; the flag overrides the environment variable, which overrides the setting."""

    name: str
    """Name of the setting; the flag is the same with dashes."""
    parse: Callable[[str], Any]
    allowed: str
    """Description of the allowed values, for error messages."""
    default: str
    help: str
    env: str = ""
    metavar: str = "VALUE"
    repeated: bool = False
    personal: bool = False
    """True if it describes this machine or run only and cannot weaken the gate."""
    refuses_empty: bool = False
    """True if an empty value is an error. CI passes an unset variable as one, which must not switch
    a comparison off."""
    dropped: str = ""
    """Prefix of the setting's name that the flag omits."""

    @property
    def flag(self) -> str:
        """The flag on the command line."""
        return "--" + self.name.removeprefix(self.dropped).replace("_", "-")

    @property
    def ini_type(self) -> Literal["string", "bool", "args"]:
        """Type of the setting for pytest's `addini`."""
        if self.is_switch:
            return "bool"
        return "args" if self.repeated else "string"

    @property
    def is_switch(self) -> bool:
        """True if the flag takes no value."""
        return self.parse is parse_switch


LOCAL, RAY = "local", "ray"
"""Values of `--litegate-builder`."""
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
        name="litegate_changed",
        parse=parse_switch,
        allowed="true or false",
        default="false",
        help="with --against, judge only the models whose files differ from the base, or all if "
        "another file of the repository differs",
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
        name="litegate_builder",
        parse=one_of(LOCAL, RAY),
        allowed=f"{LOCAL} or {RAY}",
        default=LOCAL,
        help="build models on this machine (local), or on the Ray cluster of RAY_ADDRESS (ray)",
        env="LITEGATE_BUILDER",
        metavar="BUILDER",
        personal=True,
    ),
    Option(
        name="litegate_ray_wait",
        parse=parse_seconds,
        allowed="seconds above 0",
        # An autoscaler may start a node meanwhile; without one a minute is soon lost.
        default="60",
        help="with Ray, stop waiting for a node with a build's resources after this long",
        env="LITEGATE_RAY_WAIT",
        metavar="SECONDS",
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
