"""Models that declare a GPU, on machines without one."""

import json

ON_GPU = "training=lg.Training(device='gpu')"


def test_a_model_that_declares_a_gpu_is_judged_on_the_cpu_if_asked(project):
    """With the files of the CPU, the base's included, and a note that says so."""
    budget = "accuracy=lg.percent(1)"
    project.model(budget).real_checks()
    store = project.path / ".litegate"
    (store / "store").rename(store / "of_the_cpu")
    project.model(budget, arguments=ON_GPU).as_base()
    chosen = ("checks/", "--against", "main", "-k", "accuracy")
    device = ("--litegate-device=cpu", f"--litegate-store={store / 'of_the_cpu'}")
    done = project.run(*chosen, *device)
    assert done.ret == 0
    report = json.loads((project.path / ".litegate/report/report.json").read_text("utf-8"))
    assert [it for it in report["notes"] if "built on the CPU, as --litegate-device" in it]
    names = {row["measurement"] for row in report["verdicts"]}
    assert {"accuracy", "accuracy regression"} <= names
