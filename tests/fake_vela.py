"""A package `ethosu` that answers as Vela's command does; what it does is in its `behaviour.py`."""

import contextlib
import csv
import io

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from litegate.runtimes import vela
from litegate.tflite.editing.draft import Draft, edit

MAIN = """
import sys
from pathlib import Path
from ethosu import behaviour

options = dict(word.split("=", 1) for word in sys.argv[2:])
folder = Path(options["--output-dir"])
network = Path(sys.argv[1]).read_bytes()
behaviour.act(network, folder, options)
"""
GOOD = """
from pathlib import Path
HERE = Path(__file__).parent

def act(network, folder, options):
    name = f"model_summary_{options['--system-config']}.csv"
    (folder / name).write_bytes((HERE / "summary.csv").read_bytes())
    (folder / "model_vela.tflite").write_bytes((HERE / "compiled.tflite").read_bytes())
"""
SUMMARY = {
    "core_clock": "500000000.0",
    "weights_storage_area": "Off-chip Flash",
    "feature_map_storage_area": "SRAM",
    "sram_memory_used": "50.625",
    "dram_memory_used": "0.0",
    "on_chip_flash_memory_used": "0.0",
    "off_chip_flash_memory_used": "77.390625",
    "cycles_npu": "185542",
    "cycles_total": "201747",
}
"""Of the columns those that are read, with Vela's figures of MLPerf Tiny's ResNet8."""


def compiled(tflite):
    """Put Vela's operator, with its commands and two scratch tensors, in place of all others."""

    def change(model):
        draft = Draft(model)
        given, result = draft.graph.inputs[0], draft.graph.outputs[0]
        tensors = [draft.constant(name, np.zeros(64, np.uint8)) for name in ("commands", "weights")]
        tensors += [draft.beside(given, suffix) for suffix in ("/scratch", "/scratch_fast")]
        code = draft.code(schema.BuiltinOperator.CUSTOM, 1, "ethos-u")
        operator = schema.OperatorT(opcodeIndex=code, inputs=[*tensors, given], outputs=[result])
        draft.graph.operators = [operator]

    return edit(tflite, change)


def install(folder, compiled, *, behaviour=GOOD, **summary):
    """Write the package to a folder of the import path; `summary` replaces cells of the CSV."""
    package = folder / "ethosu"
    (package / "vela").mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    (package / "vela" / "__init__.py").touch()
    (package / "vela" / "__main__.py").write_text(MAIN)
    (package / "behaviour.py").write_text(behaviour)
    (package / "compiled.tflite").write_bytes(compiled)
    cells = SUMMARY | summary
    text = io.StringIO()
    writer = csv.DictWriter(text, list(cells))
    writer.writeheader()
    writer.writerow(cells)
    (package / "summary.csv").write_text(text.getvalue())
    info = folder / "ethos_u_vela-5.2.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ethos-u-vela\nVersion: 5.2.0\n")
    forget()


@contextlib.contextmanager
def installed(folder, monkeypatch):
    """Put a folder first on the import path; before and after, ask anew whether Vela is there."""
    monkeypatch.syspath_prepend(folder)
    forget()
    yield folder
    forget()


def forget():
    """Forget Vela's version and what it compiled."""
    vela.installed_version.cache_clear()
    vela.compile_file.cache_clear()
