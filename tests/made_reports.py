"""Reports made by hand, as a run would have written them, and the names a hostile one holds."""

from litegate.core.units import Unit, points
from litegate.measures.measurement import Interval, Measurement
from litegate.report.json_report import document
from litegate.report.run_record import Place, Run, error_row, verdict_row

ENVIRONMENT = {
    "litegate": "0",
    "litert": "0",
    "python": "3",
    "toolchain": {"tensorflow": "0"},
    "kernels": "XNNPACK",
    "threads": 1,
    "processor": "p",
    "cores": 2,
    "store": "s",
    "data": None,
}
HOSTILE = (
    "**bold** _it_ ~~gone~~ # head\n# head\n\n- item\n1. item\n---",
    "`code` ``` fence ``` [link](javascript:alert(1)) ![image](https://example.org/x.png)",
    "<script>alert(1)</script><img src=x onerror=alert(1)></code></li></ul></details><!--",
    "| a | b |\n|---|---|\n\\| $x^2$ $$y$$ :tada:",
    "@everyone @octocat #1 GH-1 octo/cat#1 https://example.org www.example.org a@example.org",
    "\x1b[31mred\x1b[0m \x1b]8;;https://example.org\x07link \x9b2J",
    "\x00 \x07 \x7f \u202etxet \u2028 \u200b",
    "::error file=a,line=1::fake\n::set-output name=x::y\r\n  ::stop-commands::z",
    "##[error]fake ##[group]fake ]] %0A::error::fake %25 , : ::",
    "&lt;b&gt; &amp; &#64;all \\n \ud800 " + "long " * 2000,
)


def place(**over):
    """A check's place."""
    values = {
        "id": "checks/test_a.py::test_drop[m-int8_qat]",
        "model": "m",
        "recipe": "int8_qat",
        "check": "test_drop",
        "requirement": "Quantizing costs little.",
        "file": "models/m.py",
        "line": 6,
    }
    return Place(**(values | over))


def verdict(outcome="pass", *, value=None, name="accuracy drop", offenders=(), **over):
    """A verdict's row, by default against a limit of half a point."""
    spot = place(**over)
    values = {"pass": 0.001, "fail": 0.007, "inconclusive": 0.004}
    number = values[outcome] if value is None else value
    found = Measurement(
        name=name,
        subject=f"{spot.model}/{spot.recipe}",
        value=number,
        unit=Unit.POINTS,
        n=1000,
        high=0.006 if outcome == "inconclusive" else None,
        interval=Interval(low=number - 0.001, high=number + 0.001, method="a method"),
        offenders=offenders,
    )
    row = verdict_row(spot, found <= points(0.5))
    assert row["verdict"] == outcome
    return row


def error(message="the store is full", **over):
    """An error's row."""
    return error_row(place(**over), message)


def recipe(model="m", name="int8_qat"):
    """A row of the table of recipes."""
    return {
        "model": model,
        "recipe": name,
        "kind": "int8_qat",
        "role": "gated",
        "artifact": "a" * 64,
        "accuracy": 0.97,
        "drop": 0.001,
        "drop_from_baseline": None,
        "bytes": 25144,
        "size_ratio": None,
    }


def runtime(name="tflm", model="m", recipe="int8_qat", **over):
    """A row of the matrix of runtimes."""
    values = {
        "model": model,
        "recipe": recipe,
        "runtime": name,
        "samples": 500,
        "accuracy": 0.95,
        "drop": 0.01,
        "broken": 12,
        "fixed": 7,
        "agreement": 0.992,
    }
    return values | over


def repair(name="conv", model="m", recipe="int8_qat", **over):
    """A row of a repair: a set without layers, and the proposed one with one."""

    def found(layers, count, drop):
        return {
            "layers": layers,
            "bytes": count,
            "latency": count / 1e9,
            "measurement": "accuracy drop",
            "value": drop,
            "low": drop - 0.01,
            "high": drop + 0.01,
            "unit": "points",
            "better": "lower",
            "declared": bool(layers),
        }

    values = {
        "model": model,
        "recipe": recipe,
        "field": "float_layers",
        "samples": f"550 samples of {name}",
        "sets": [found([], 5024, 0.67), found([name], 6120, 0.012)],
    }
    return values | over


def fault(name="padding", *, by=None, unit="% of the file", **over):
    """What checks noticed of one fault; `by` is the smallest grade that each of them noticed."""
    by = by or {}
    values = {
        "name": name,
        "family": "size",
        "summary": "",
        "expect": "fail",
        "unit": unit,
        "must": 2,
        "grades": [1, 2, 20],
        "played": [1, 2, 20],
        "smallest": min(by.values(), default=None),
        "noticed_by": by,
        "unplantable": "",
    }
    return values | over


def proof(*faults, survivors=(), **over):
    """The proof of one candidate; `survivors` are what survived, what is told, what to do."""
    holds = not survivors
    values = {
        "model": "m",
        "recipe": "int8_qat",
        "holds": holds,
        "seconds": 1.5,
        "comparisons": 32,
        "alarms": [],
        "alarm_rate_below": 0.089,
        "checks": list(dict.fromkeys(name for one in faults for name in one["noticed_by"])),
        "faults": list(faults),
        "survivors": [
            dict(zip(("what", "sentence", "remedy"), one, strict=True)) for one in survivors
        ],
        "errors": [],
        "unproven": [],
        "idle": [],
        "noise": "",
    }
    return values | over


def report(*verdicts, errors=(), strict=False, exit_status=None, environment=None, **more):
    """A whole report; the exit status is pytest's unless one is given."""
    run = Run(
        environment=ENVIRONMENT | (environment or {}),
        strict=strict,
        verdicts=list(verdicts),
        errors=list(errors),
        recipes=more.pop("recipes", []),
        repairs=more.pop("repairs", []),
        runtimes=more.pop("runtimes", []),
        not_gated=more.pop("not_gated", {}),
        not_measured=more.pop("not_measured", {}),
        notes=more.pop("notes", []),
    )
    bad = run.verdict not in ("pass", "inconclusive") or (strict and run.verdict != "pass")
    status = int(bad) if exit_status is None else exit_status
    return document(run) | {"exit_status": status} | more


def many(count, checks=22):
    """A report of `count` models with as many verdicts each; every tenth model has a failure."""
    names = ["keyword_spotting_with_a_long_name" if n == 3 else f"model_{n}" for n in range(count)]
    rows = [
        verdict(
            "fail" if n % 10 == 3 and check % 9 == 2 else "pass",
            value=None if check % 3 == 2 else 0.001 * (check % 3),
            name=f"measurement number {check}",
            check=f"test_{check}",
            model=name,
            offenders=("tensor 'a/long/path/of/a/tensor' grew",),
        )
        for n, name in enumerate(names)
        for check in range(checks)
    ]
    return report(*rows, recipes=[recipe(name) for name in names])


def full(name):
    """A report with a row of every kind, in which `name` stands wherever a name or a text can."""
    over = {"model": name, "recipe": name, "check": name, "id": name, "file": name}
    rows = [verdict(o, name=name, offenders=(name,), **over) for o in ("pass", "fail")]
    return report(
        *rows,
        verdict("inconclusive", name=name, **over),
        errors=[error(name, **over)],
        recipes=[recipe(name, name)],
        repairs=[repair(name, model=name, recipe=name)],
        runtimes=[runtime(name, model=name, recipe=name)],
        not_gated={name: name},
        not_measured={name: name},
        notes=[name],
        head={"commit": name, "subject": name, "time": 1, "changed": True},
        base={"commit": name, "ref": name, "note": name},
        waivers=[{"model": name, "reason": name}],
        proofs=[
            proof(
                fault(name, by={name: 1}, unit=name),
                fault(name, unplantable=name, played=[]),
                survivors=[(name, name, name)],
                model=name,
                recipe=name,
                **{key: [name] for key in ("alarms", "misdirected", "errors", "unproven", "idle")},
                noise=name,
                selection=name,
                not_tried=[{"what": name, "sentence": name, "is_fault": True}],
            )
        ],
    )
