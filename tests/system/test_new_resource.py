"""An adapter for an instrument of one's own, as `labwright new-resource` writes it."""

import os
import re
import subprocess
import sys
from contextlib import contextmanager

import pytest

LABWRIGHT = [sys.executable, "-m", "labwright"]


def call(*words, cwd, **environment):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LABWRIGHT_")} | environment
    return subprocess.run(
        [str(word) for word in words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    done = call(*LABWRIGHT, "new-resource", "flow_reactor", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "flow_reactor"


@contextmanager
def simulated(made, folder):
    words = [sys.executable, str(made / "simulated_flow_reactor.py"), "--port", "0", "--speed", "1000"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True) as device:
        try:
            yield int(device.stdout.readline().split()[-1])
        finally:
            device.kill()


def campaign(made, folder, port, kind):
    text = re.sub(r"address: \S+", f"address: 127.0.0.1:{port}", (made / "campaign.yaml").read_text())
    text = text.replace("trials: 15", "trials: 3")
    (folder / "campaign.yaml").write_text(re.sub(r"kind: \S+\.py:\w+.*", f"kind: {kind}", text))


def test_its_contract_test_passes_as_written(made):
    done = call(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", cwd=made)

    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d{2} passed, 6 skipped", done.stdout, re.MULTILINE), done.stdout  # no batches, no epochs


def test_its_campaign_runs_with_nothing_installed(made, tmp_path):
    with simulated(made, tmp_path) as port:
        campaign(made, made, port, "flow_reactor.py:FlowReactor")

        done = call(*LABWRIGHT, "run", made / "campaign.yaml", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "finished after 3 of 3 trials" in done.stdout


def test_its_record_can_be_read_when_the_adapter_is_gone(made, tmp_path):
    with simulated(made, tmp_path) as port:
        campaign(made, tmp_path, port, "cell.py:FlowReactor")
        (tmp_path / "cell.py").write_text((made / "flow_reactor.py").read_text())
        call(*LABWRIGHT, "run", "campaign.yaml", cwd=tmp_path)

    (tmp_path / "cell.py").write_text("something that is being written")
    shown = [
        call(*LABWRIGHT, *words, cwd=tmp_path) for words in (("status",), ("trials", "first-flow_reactor-campaign"))
    ]
    again = call(*LABWRIGHT, "run", "campaign.yaml", cwd=tmp_path)

    assert [done.returncode for done in shown] == [0, 0], shown
    assert "finished" in shown[0].stdout
    assert again.returncode == 2
    assert "'cell.py:FlowReactor' cannot be imported: SyntaxError" in again.stderr


def test_installed_it_is_a_kind_for_campaigns_in_any_folder(made, tmp_path):
    target = tmp_path / "target"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    done = call(*pip, "--target", target, made, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    path = os.pathsep.join([str(target), os.environ.get("PYTHONPATH", "")])

    with simulated(made, tmp_path) as port:
        campaign(made, tmp_path, port, "flow_reactor")
        done = call(*LABWRIGHT, "run", "campaign.yaml", cwd=tmp_path, PYTHONPATH=path)
        again = call(*LABWRIGHT, "new-resource", "flow_reactor", cwd=tmp_path, PYTHONPATH=path)

    assert done.returncode == 0, done.stderr
    assert "finished after 3 of 3 trials" in done.stdout
    assert again.returncode == 2
    assert "is a kind of resource already" in again.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("opcua", "'opcua' is a kind of resource already"),
        ("my-cell", "small letters, digits and _ were expected"),
        ("../cell", "small letters, digits and _ were expected"),
        ("class", "small letters, digits and _ were expected"),
        ("json", "another module of Python"),
        ("yaml", "another module of Python"),
    ],
)
def test_a_name_that_would_not_work_is_refused(name, words, tmp_path):
    done = call(*LABWRIGHT, "new-resource", name, cwd=tmp_path)

    assert done.returncode == 2
    assert words in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_stays_as_it_is(tmp_path):
    (tmp_path / "cell").mkdir()
    (tmp_path / "cell" / "notes").write_text("mine")

    done = call(*LABWRIGHT, "new-resource", "cell", cwd=tmp_path)

    assert done.returncode == 2
    assert "cell is there already; nothing was written" in done.stderr
    assert [one.name for one in (tmp_path / "cell").iterdir()] == ["notes"]
