"""Studies on a cluster: submission to a stand-in for Slurm, and real jobs on this machine."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from messages import messages
from toys import SMALL

from spinn.commands.main import main
from spinn.pretrained import load_trained
from spinn.studies import slurm
from spinn.studies.expansion import ExpandedStudy, expand
from spinn.studies.overview import write_overview
from spinn.studies.run import RunState, perform
from spinn.studies.slurm import JobOptions, parse_job_options, submit
from spinn.studies.study import Row, Study
from spinn.support.errors import ConfigurationError, SpinnError
from spinn.training.claims import claimed, is_claimed
from spinn.training.loop import Interruption


def study(folder: Path, **options: Any) -> ExpandedStudy:
    base = SMALL | {"data": str(folder), "device": "cpu"} | options
    rows = (Row("left", {"trees": "left"}), Row("bag", {"encoder": "bow"}))
    return expand(Study(base=base, rows=rows, seeds=(1,)), "toy")


# Options.


def test_options_of_jobs_are_parsed():
    assert parse_job_options(None) == JobOptions()
    assert parse_job_options("partition=gpu, time=240,gpus=1,cpus=4") == JobOptions(
        partition="gpu", time=240, gpus=1, cpus=4
    )


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("gpu", "'gpu' is not an option of a job; write OPTION=VALUE"),
        ("cores=4", "'cores=4' is not an option of a job; .* with partition, account"),
        ("time=", "'time=' is not an option"),
        ("time=1:00", "time is '1:00'; it must be a whole number of at least 1"),
        ("cpus=0", "cpus is '0'; it must be a whole number of at least 1"),
        ("gpus=2", "a run uses one GPU"),
        ("cpus=1,cpus=2", "'cpus=2' is given twice"),
    ],
)
def test_wrong_options_of_jobs_are_named(text, cause):
    with pytest.raises(ConfigurationError, match=f"^--slurm {text}: {cause}"):
        parse_job_options(text)


# Submission.

SBATCH = """#!/bin/sh
cp "$1" "$FAKE_SLURM/script"
echo submitted >> "$FAKE_SLURM/calls"
echo "Submitted batch job 77"
"""
SACCT = """#!/bin/sh
echo "JobID|State|NodeList"
cat "$FAKE_SLURM/states"
"""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put programs of Slurm on the path that record what they get; return their folder."""
    pytest.importorskip("submitit")
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, text in (("srun", "#!/bin/sh\n"), ("sbatch", SBATCH), ("sacct", SACCT)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("FAKE_SLURM", str(folder))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def test_a_study_is_submitted_once_and_collected_later(cluster, toy_folder, tmp_path, capsys):
    output = tmp_path / "out"
    arguments = ["ablate", "--vary", "trees=left,right", "--seeds", "1", "--data", str(toy_folder)]
    arguments += ["--no-cache", "--epochs", "1", "--output", str(output), "--launcher", "slurm"]
    slurm_options = ["--slurm", "partition=gpu,time=240,gpus=1,cpus=4,memory=16", "--jobs", "5"]
    assert main([*arguments, *slurm_options]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Submitted 2 of 2 runs; 0 are done and 0 are queued or running" in captured.err
    assert f"spinn ablate --vary trees=left,right --seeds 1 --data {toy_folder}" in captured.err
    assert captured.err.endswith("--jobs 5 --table-only\n")
    script = (cluster / "script").read_text().splitlines()
    for line in (
        "--array=0-1%2", "--cpus-per-task=4", "--gpus-per-node=1", "--mem=16GB", "--partition=gpu",
        "--requeue", "--signal=USR2@90", "--time=240",
    ):  # fmt: skip
        assert f"#SBATCH {line}" in script
    # Queued and running jobs are not submitted again.
    (cluster / "states").write_text("77_[0-1]|PENDING|\n")
    assert main(arguments) == 0
    assert "Submitted 0 of 2 runs; 0 are done and 2 are queued" in capsys.readouterr().err
    assert main([*arguments, "--table-only"]) == 2
    assert "no run of the study is finished yet" in capsys.readouterr().err


def test_jobs_that_ended_without_a_result_are_submitted_again(cluster, toy_folder, tmp_path):
    runs, output = study(toy_folder).runs(tmp_path / "out"), tmp_path / "out"
    submit(runs, output, None, JobOptions())
    (cluster / "states").write_text("77_0|CANCELLED by 5|n1\n77_1|RUNNING|n2\n")
    with messages() as lines:
        outcomes = submit(runs, output, None, JobOptions())
    assert [outcome.state for outcome in outcomes] == ["submitted", "submitted"]
    assert "Submitted 1 of 2 runs; 0 are done and 1 are queued or running already." in lines
    script = (cluster / "script").read_text()
    assert "--array" not in script
    assert "--gpus-per-node" not in script
    # A run whose process holds its lock is running, whatever its job says.
    (cluster / "states").write_text("77|FAILED|n1\n77_1|FAILED|n2\n")
    perform(runs[0].configuration, runs[0].path)
    with claimed(runs[1].path), messages() as lines:
        outcomes = submit(runs, output, None, JobOptions())
    assert [outcome.state for outcome in outcomes] == ["done", "submitted"]
    assert "Submitted 0 of 2 runs; 1 are done and 1 are queued or running already." in lines


def test_a_cluster_that_rejects_jobs_is_reported(cluster, toy_folder, tmp_path):
    (cluster / "sbatch").write_text("#!/bin/sh\necho 'invalid partition' >&2\nexit 1\n")
    runs = study(toy_folder).runs(tmp_path / "out")
    with pytest.raises(SpinnError, match=r"jobs cannot be submitted .*invalid partition.*--slurm"):
        submit(runs, tmp_path / "out", None, JobOptions())
    assert not (tmp_path / "out" / "jobs" / "jobs.json").exists()


def test_a_machine_without_slurm_is_named(toy_folder, tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SpinnError, match=r"cannot be submitted .*srun.*that submits jobs to Slurm"):
        submit(study(toy_folder).runs(tmp_path), tmp_path, None, JobOptions())


def test_a_missing_package_is_named_with_its_extra(toy_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "submitit", None)
    arguments = ["ablate", "--data", str(toy_folder), "--output", str(tmp_path / "out")]
    assert main([*arguments, "--launcher", "slurm"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "spinn: --launcher slurm requires submitit, which is not installed. Run `pip install "
        "submitit`, or install this package with its extra [cluster]."
    )
    assert main([*arguments, "--slurm", "time=3"]) == 2
    assert "--slurm does nothing without --launcher slurm" in capsys.readouterr().err


# Jobs.


def children(process: int) -> list[int]:
    return [
        int(number)
        for number in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


def wait_for(condition: Any) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_preempted_job_is_requeued_and_resumes_to_the_same_weights(toy_folder, tmp_path):
    pytest.importorskip("submitit")
    if not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").is_file():
        pytest.skip("the processes of a job are found by /proc")
    expanded = study(toy_folder, epochs=6, checkpoint_steps=1)
    output = tmp_path / "out"
    runs = expanded.runs(output)[:1]
    submit(runs, output, None, JobOptions(), "local")
    (run,) = runs
    number = int(slurm._read_numbers(output)[run.name])
    wait_for((run.path / "checkpoints.json").is_file)
    (job,) = children(number)
    os.kill(job, signal.SIGTERM)  # as clusters announce a preemption
    os.kill(job, signal.SIGUSR2)
    wait_for(lambda: children(number) not in ([], [job]))
    assert run.state is RunState.BEGUN
    wait_for(lambda: run.state is RunState.DONE)
    with suppress(ChildProcessError):
        os.waitpid(number, 0)
    log = (run.path / "log.txt").read_text()
    assert log.count("Stopping after this step") == 1
    assert log.count("Resuming") == 1
    assert not is_claimed(run.path)
    (whole,) = expanded.runs(tmp_path / "whole")[:1]
    perform(whole.configuration, whole.path)
    for which in ("best", "last"):
        one, other = (
            load_trained(path, which).model.state_dict() for path in (run.path, whole.path)
        )
        assert all(torch.equal(one[name], other[name]) for name in other)
    # The other run is unfinished, and the table says so.
    assert (
        "Missing: bag with seed 1, not begun." in write_overview(expanded, output, None).markdown()
    )


def test_a_job_that_fails_leaves_the_reason_in_the_log_of_the_run(toy_folder, tmp_path):
    (run, _) = study(toy_folder, data=str(tmp_path / "nowhere")).runs(tmp_path)
    with pytest.raises(SpinnError, match="there is no such folder"):
        slurm.Job(run.configuration, run.path)()
    assert "there is no such folder" in (run.path / "log.txt").read_text()


def test_a_terminated_job_waits_for_what_the_cluster_does_with_it(
    toy_folder, tmp_path, monkeypatch
):
    def stopped(*arguments: Any) -> None:
        raise Interruption

    waits: list[float] = []
    monkeypatch.setattr(slurm, "perform", stopped)
    monkeypatch.setattr(time, "sleep", waits.append)
    (run, _) = study(toy_folder).runs(tmp_path)
    with pytest.raises(Interruption):
        slurm.Job(run.configuration, run.path)()
    assert waits == [300]
