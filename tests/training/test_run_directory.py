"""The folder of a run: written completely or not at all, and one clear error for damage."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from mutations import mutate_file
from safetensors import SafetensorError
from toys import FORMS, small_configuration, small_model

from spinn import weights
from spinn.data.corpus import Corpus
from spinn.data.fragments.vocabulary import FragmentVocabulary
from spinn.data.prepare import load_corpus
from spinn.data.vocabulary import Vocabulary
from spinn.language.config import LanguageConfiguration
from spinn.language.fragments import FragmentConfiguration
from spinn.model.pair import PairModel
from spinn.pretrained import Interface, load_trained
from spinn.support import files, tensor_files
from spinn.support.errors import DataError, SpinnError
from spinn.training import run, run_directory
from spinn.training.log import drop_later_lines, read_metrics
from spinn.training.run_directory import RunDirectory


@pytest.fixture
def place(toy_folder: Path, tmp_path: Path) -> RunDirectory:
    """Make the folder of a run that has no checkpoint yet."""
    configuration = small_configuration(toy_folder)
    corpus = load_corpus(configuration.data)
    return RunDirectory.create(tmp_path / "run", configuration, interface_of(corpus))


def interface_of(corpus: Corpus) -> Interface:
    return Interface(corpus.vocabulary, corpus.labels, corpus.kind)


@pytest.fixture
def model(toy_folder: Path) -> PairModel:
    configuration = small_configuration(toy_folder)
    torch.manual_seed(0)
    return small_model(configuration, load_corpus(configuration.data))


@pytest.fixture(scope="module")
def trained(toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train one small model, to be copied by whoever wants to damage it."""
    path = tmp_path_factory.mktemp("trained") / "run"
    run.train(small_configuration(toy_folder, epochs=1, **FORMS["RL-SPINN"]), path)
    return path


@pytest.fixture
def damaged(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def change(model: PairModel, value: float) -> None:
    """Make the weights recognisable."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(value)


def stored_value(place: RunDirectory, model: PairModel, which: str) -> float:
    place.load_weights(model, place.weights(which), which)
    return next(model.parameters()).flatten()[0].item()


def folders(place: RunDirectory) -> list[str]:
    return sorted(path.name for path in (place.path / "checkpoints").iterdir())


# The folder.


def test_configuration_and_vocabulary_are_read_back(toy_folder, place):
    configuration = small_configuration(toy_folder)
    corpus = load_corpus(configuration.data)
    opened = RunDirectory.open(place.path)
    assert opened.configuration() == configuration
    assert opened.interface() == interface_of(corpus)


def test_vocabulary_keeps_words_outside_ascii(toy_folder, tmp_path):
    configuration = small_configuration(toy_folder)
    interface = interface_of(load_corpus(configuration.data))
    interface.vocabulary.words.append("naïve–日本")
    made = RunDirectory.create(tmp_path / "run", configuration, interface)
    assert made.interface().vocabulary.words == interface.vocabulary.words


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("checkpoints.json", r"there is a run here already.*--resume"),
        ("weights.safetensors", r"weights\.safetensors: this is of another model"),
        ("results.json", r"results\.json: this is of another model"),
    ],
)
def test_a_run_that_is_there_is_not_overwritten(toy_folder, place, name, cause):
    configuration, before = small_configuration(toy_folder, epochs=9), place.configuration()
    (place.path / name).write_text("{}")
    with pytest.raises(SpinnError, match=cause):
        RunDirectory.create(place.path, configuration, place.interface())
    assert place.configuration() == before


def test_checkpoints_of_a_copy_without_their_names_are_kept(toy_folder, place, model):
    configuration = small_configuration(toy_folder, epochs=9)
    for step in (1, 2):
        place.save(step, model, {}, best=step == 1)
    (place.path / "checkpoints.json").unlink()
    with pytest.raises(DataError, match="Copy the whole folder of the run"):
        run.resume(place.path)
    with pytest.raises(SpinnError, match="step-00000001: this is of another model"):
        RunDirectory.create(place.path, configuration, place.interface())
    assert folders(place) == ["step-00000001", "step-00000002"]


def test_a_run_that_ended_before_its_first_checkpoint_makes_room(toy_folder, place):
    configuration = small_configuration(toy_folder, epochs=9)
    place.metrics.write_text("of the run before")
    (place.path / "notes.txt").write_text("not a run's")
    made = RunDirectory.create(place.path, configuration, place.interface())
    assert made.configuration() == configuration
    assert not made.metrics.exists()
    assert (place.path / "notes.txt").exists()


@pytest.mark.parametrize("written", [0, 1, 2])
@pytest.mark.parametrize("kind", ["sentences", "language", "fragments"])
def test_a_run_that_ended_between_its_first_files_makes_room(
    kind, written, toy_folder, tmp_path, monkeypatch
):
    begin = beginnings(toy_folder, tmp_path)[kind]
    for _ in range(2):  # the second removes the files of the first and ends there, too
        with monkeypatch.context() as patch:
            stop_after_files(patch, written)
            with suppress(KeyboardInterrupt):
                begin()
    begin()
    assert {"config.json", "vocabulary.json"} <= set(os.listdir(tmp_path))


def beginnings(toy_folder: Path, path: Path) -> dict[str, Callable[[], object]]:
    """Return functions that begin a run of each kind in a folder."""
    configuration = small_configuration(toy_folder)
    interface = interface_of(load_corpus(configuration.data))
    language = LanguageConfiguration.resolve({"text": ["text.txt"]})
    fragments = FragmentConfiguration.resolve({"train": ["trees.txt"]})
    tokens, pieces = Vocabulary(["a", "b"]), FragmentVocabulary(["S"], [], {}, {"S": 1})
    begin = RunDirectory(path).begin
    return {
        "sentences": lambda: RunDirectory.create(path, configuration, interface),
        "language": lambda: begin(language.as_dict(), tokens.as_dict()),
        "fragments": lambda: begin(fragments.as_dict(), pieces.as_dict()),
    }


def stop_after_files(patch: pytest.MonkeyPatch, count: int) -> None:
    """Let the process end when it has completed this number of files."""
    replace, left = os.replace, [None] * count

    def replaced(*places: Path) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        replace(*places)

    patch.setattr(os, "replace", replaced)


@pytest.mark.parametrize(
    "name", ["config.json", "vocabulary.json", "data.json", "metrics.jsonl", "learning_curve.png"]
)
@pytest.mark.parametrize("content", ["", "[]", '{"training": {}}'])
def test_files_of_others_are_not_overwritten(toy_folder, tmp_path, name, content):
    configuration = small_configuration(toy_folder)
    interface = interface_of(load_corpus(configuration.data))
    (tmp_path / "own" / "run").mkdir(parents=True)
    place = tmp_path / "own" / "run" / name
    place.write_text(content)
    with pytest.raises(SpinnError, match=f"{name}: a run would overwrite this file, .* --output"):
        RunDirectory.create(place.parent, configuration, interface)
    assert [file.name for file in place.parent.iterdir()] == [name]
    assert place.read_text() == content


def test_a_folder_that_cannot_be_made_is_named(toy_folder, tmp_path):
    (tmp_path / "file").write_text("")
    configuration = small_configuration(toy_folder)
    interface = interface_of(load_corpus(configuration.data))
    with pytest.raises(SpinnError, match="file/run: the run cannot be written there"):
        RunDirectory.create(tmp_path / "file" / "run", configuration, interface)


def test_a_folder_without_a_run_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(SpinnError, match="this is no run"):
            RunDirectory.open(path)
        with pytest.raises(SpinnError, match="this is no run"):
            load_trained(path)


@pytest.fixture
def _no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "load_corpus", lambda *arguments: pytest.fail("it was read"))


@pytest.mark.usefixtures("_no_reading")
def test_a_folder_that_cannot_be_written_is_found_before_the_corpus_is_read(
    toy_folder, tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "results.json").write_text("{}")
    configuration = small_configuration(toy_folder)
    with pytest.raises(SpinnError, match="file/run: the run cannot be written there"):
        run.train(configuration, tmp_path / "file" / "run")
    with pytest.raises(SpinnError, match="this is of another model"):
        run.train(configuration, tmp_path / "used")
    monkeypatch.setattr(run_directory, "TemporaryFile", full_disk)
    with pytest.raises(SpinnError, match=r"cannot be written there \(No space left on device\)"):
        run.train(configuration, tmp_path / "deep" / "run")
    assert sorted(os.listdir(tmp_path)) == ["file", "used"]


def test_an_error_in_the_corpus_leaves_no_folder(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "corpus").mkdir()
    for name in ("train", "dev"):
        (tmp_path / "corpus" / f"{name}.jsonl").write_text("no JSON\n")
    for output in (tmp_path / "mine", tmp_path / "mine" / "deep" / "run"):
        with pytest.raises(SpinnError, match=r"\.jsonl"):
            run.train(small_configuration(tmp_path / "corpus"), output)
        assert os.listdir(tmp_path / "mine") == []


# Checkpoints.


def test_without_a_checkpoint_there_is_none_to_load(place, model):
    for which in ("best", "last"):
        with pytest.raises(SpinnError, match=f"the run has no {which} checkpoint yet"):
            place.weights(which)


def test_best_and_last_are_named_and_the_others_dropped(place, model):
    for step, best in ((10, True), (20, False), (30, True), (40, False), (50, False)):
        change(model, float(step))
        place.save(step, model, {"step": step}, best=best)
    assert folders(place) == ["step-00000030", "step-00000050"]
    assert stored_value(place, model, "best") == 30
    assert stored_value(place, model, "last") == 50
    assert place.training_state() == {"step": 50}


def test_a_checkpoint_can_be_both_best_and_last(place, model):
    place.save(10, model, {}, best=True)
    place.save(20, model, {}, best=True)
    assert folders(place) == ["step-00000020"]
    assert place.checkpoint("best") == place.checkpoint("last")


def test_a_second_checkpoint_of_the_same_step_takes_the_place_of_the_first(place, model):
    change(model, 1.0)
    place.save(10, model, {"part": 1}, best=False)
    change(model, 2.0)
    place.save(10, model, {"part": 2}, best=True)
    assert len(folders(place)) == 1
    assert stored_value(place, model, "best") == stored_value(place, model, "last") == 2
    assert place.training_state() == {"part": 2}


def test_state_comes_back_as_it_was(place, model):
    state = {
        "tensor": torch.arange(4.0),
        "random": torch.get_rng_state(),
        "number": -float("inf"),
        "nested": {"list": [1, 2.5], "text": "a"},
    }
    place.save(1, model, state, best=True)
    loaded = place.training_state()
    assert torch.equal(loaded.pop("tensor"), state.pop("tensor"))
    assert torch.equal(loaded.pop("random"), state.pop("random"))
    assert loaded == state


def full_disk(*arguments: Any, **keywords: Any) -> None:
    raise OSError(28, "No space left on device")


def torn_archive(*arguments: Any, **keywords: Any) -> None:
    raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0")


def refused(*arguments: Any, **keywords: Any) -> None:
    raise SafetensorError("Error while serializing: I/O error: No space left on device")


FAILURES = [
    (tensor_files, "save_file", full_disk),
    (tensor_files, "save_file", refused),
    (torch, "save", torn_archive),
    (torch, "save", full_disk),
    (run_directory, "write_whole", full_disk),
]


@pytest.mark.parametrize(
    ("owner", "name", "failure", "step"),
    [(*failure, 20) for failure in FAILURES] + [(*failure, 10) for failure in FAILURES[:-1]],
)
def test_a_checkpoint_that_cannot_be_written_leaves_the_earlier_ones(
    place, model, monkeypatch, owner, name, failure, step
):
    change(model, 1.0)
    place.save(10, model, {"step": 10}, best=True)
    change(model, 2.0)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, failure)
        with pytest.raises(SpinnError, match="cannot be written") as caught:
            place.save(step, model, {"step": step}, best=True)
    kept = f"The last checkpoint, {place.path}/checkpoints/step-00000010, is kept; "
    assert f"{kept}free some space and continue with: spinn train --resume {place.path}" in str(
        caught.value
    )
    assert stored_value(place, model, "best") == 1
    assert place.training_state() == {"step": 10}
    assert not any(folder.startswith(".") for folder in folders(place))
    change(model, 3.0)
    place.save(30, model, {"step": 30}, best=False)  # once there is room again
    assert stored_value(place, model, "best") == 1
    assert stored_value(place, model, "last") == 3
    assert folders(place) == ["step-00000010", "step-00000030"]


def test_a_first_checkpoint_that_cannot_be_written_leaves_none(place, model, monkeypatch):
    monkeypatch.setattr(torch, "save", torn_archive)
    with pytest.raises(SpinnError) as caught:
        place.save(10, model, {}, best=True)
    assert str(caught.value).startswith(
        f"{place.path}/checkpoints/step-00000010: the checkpoint cannot be written ("
    )
    assert str(caught.value).endswith(
        "; probably no space is left). There is no checkpoint yet; free some space and repeat the "
        "command."
    )
    assert folders(place) == []


class Killed(BaseException):
    """Stands for the end of the process: nothing in the package may catch it."""


@pytest.mark.parametrize("calls", range(5))
def test_a_process_killed_while_saving_leaves_the_earlier_checkpoint(
    place, model, monkeypatch, calls
):
    """It is killed before each thing in turn that is written, moved or dropped."""
    change(model, 1.0)
    place.save(10, model, {"step": 10}, best=True)
    change(model, 2.0)
    left = calls

    def mortal(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **keywords: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return call(*arguments, **keywords)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(tensor_files, "save_file", mortal(tensor_files.save_file))
        patch.setattr(torch, "save", mortal(torch.save))
        patch.setattr(os, "replace", mortal(os.replace))
        patch.setattr(os, "fsync", mortal(os.fsync))
        with pytest.raises(Killed):
            place.save(20, model, {"step": 20}, best=False)
    assert stored_value(place, model, "last") == 1
    assert place.training_state() == {"step": 10}
    place.save(30, model, {"step": 30}, best=False)
    assert folders(place) == ["step-00000010", "step-00000030"]


# Damage.


def cut(path: Path, share: float) -> None:
    """Keep the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: min(len(content) - 1, int(share * len(content)))])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
@pytest.mark.parametrize("name", ["weights.safetensors", "training.pt"])
def test_a_checkpoint_cut_short_is_named(damaged, model, name, share):
    opened = RunDirectory.open(damaged)
    path = opened.checkpoint("last") / name
    cut(path, share)
    with pytest.raises(DataError, match="it cannot be read") as caught:
        opened.training_state() if name == "training.pt" else load_trained(damaged)
    assert caught.value.path == path
    if name != "training.pt":
        with pytest.raises(DataError, match="it cannot be read"):
            opened.weights("last")


@pytest.mark.parametrize("name", ["weights.safetensors", "training.pt"])
def test_a_checkpoint_with_a_file_missing_is_named(damaged, name):
    opened = RunDirectory.open(damaged)
    path = opened.checkpoint("last") / name
    path.unlink()
    with pytest.raises(DataError, match="it cannot be read") as caught:
        opened.training_state() if name == "training.pt" else load_trained(damaged)
    assert caught.value.path == path


NO_NUMBER = '{"words": ["<unk>", "<pad>"], "lower": true, "labels": ["yes"], "sides": "two"}'


@pytest.mark.parametrize("content", ["", '{"words": ["<unk>", "<pa', "{}", "[]", NO_NUMBER, None])
def test_a_damaged_vocabulary_is_named(damaged, content):
    path = damaged / "vocabulary.json"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(DataError, match="it cannot be read") as caught:
        load_trained(damaged)
    assert caught.value.path == path


@pytest.mark.parametrize("content", ["", '{"last": "step-', "[1]"])
def test_damaged_names_of_checkpoints_are_named(damaged, content):
    path = damaged / "checkpoints.json"
    path.write_text(content)
    with pytest.raises(DataError, match="it cannot be read") as caught:
        load_trained(damaged)
    assert caught.value.path == path


@pytest.mark.parametrize("content", ["", '{"model": {"hidden_size": 8'])
def test_a_damaged_configuration_is_named(damaged, content):
    path = damaged / "config.json"
    path.write_text(content)
    with pytest.raises(DataError, match="it cannot be read") as caught:
        load_trained(damaged)
    assert caught.value.path == path


def edit_configuration(path: Path, group: str, **options: Any) -> None:
    content = json.loads((path / "config.json").read_text())
    content[group] |= options
    (path / "config.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    "options",
    [{"hidden_size": 9}, {"tracker_size": 5}, {"encoder": "lstm"}, {"classifier_layers": 2}],
)
def test_weights_of_another_configuration_are_refused(damaged, options):
    edit_configuration(damaged, "tracker" if "tracker_size" in options else "model", **options)
    with pytest.raises(DataError, match="belong to another configuration") as caught:
        load_trained(damaged)
    assert "config.json" in str(caught.value)
    assert "\n" not in str(caught.value)  # not torch's page of names and shapes


def test_a_vocabulary_of_another_size_is_refused(damaged):
    path = damaged / "vocabulary.json"
    content = json.loads(path.read_text())
    content["words"].append("extra")
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"it has \d+ words and vocabulary.json has \d+"):
        load_trained(damaged)


# Loading.


def edit_vocabulary(path: Path, **values: Any) -> None:
    file = path / "vocabulary.json"
    content = json.loads(file.read_text()) | values
    file.write_text(json.dumps({name: value for name, value in content.items() if value}))


def test_a_run_from_before_there_were_single_sentences_is_of_pairs(trained, damaged):
    edit_vocabulary(damaged, sides=None)
    assert "sides" not in json.loads((damaged / "vocabulary.json").read_text())
    model, before = load_trained(damaged).model, load_trained(trained).model
    assert model.sides == before.sides == 2
    assert all(map(torch.equal, model.state_dict().values(), before.state_dict().values()))


def test_weights_for_pairs_are_refused_as_weights_for_single_sentences(damaged):
    edit_vocabulary(damaged, sides=1)
    with pytest.raises(DataError, match="belong to another configuration"):
        load_trained(damaged)


def test_a_model_of_single_sentences_is_loaded_as_one(toy_expressions, tmp_path):
    run.train(small_configuration(toy_expressions, epochs=1), tmp_path / "run")
    loaded = load_trained(tmp_path / "run")
    assert loaded.kind.name == "sentence"
    assert len(loaded.labels) == 10


@pytest.mark.parametrize("which", ["best", "last"])
def test_loaded_model_is_the_one_that_was_saved_and_ready_for_use(trained, which):
    loaded = load_trained(trained, which)
    assert not loaded.model.training
    assert {weight.device.type for weight in loaded.model.parameters()} == {"cpu"}
    assert loaded.configuration.form == "RL-SPINN"
    assert len(loaded.labels) == 3
    opened = RunDirectory.open(trained)
    again = load_trained(trained, which).model
    change(again, 0.0)
    opened.load_weights(again, opened.weights(which), which)
    for one, other in zip(
        loaded.model.state_dict().values(), again.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_loading_draws_nothing_that_matters(trained):
    """The weights do not depend on the state of the global generator."""
    torch.manual_seed(1)
    first = load_trained(trained).model.state_dict()
    torch.manual_seed(2)
    second = load_trained(trained).model.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_fixed_word_vectors_travel_with_the_model(toy_folder, tmp_path):
    pytest.importorskip("torchtext", reason="it reads vector files")
    vectors = tmp_path / "vectors.txt"
    lines = [f"word{number} {number}.5 -1.0 2.0\n" for number in range(6)]
    vectors.write_text("".join(lines))
    options = {"vectors": str(vectors), "embeddings": "fixed", "embedding_size": 100}
    configuration = small_configuration(
        toy_folder, epochs=1, data_directory=str(tmp_path), **options
    )
    run.train(configuration, tmp_path / "run")
    vectors.unlink()
    loaded = load_trained(tmp_path / "run")
    word = torch.from_numpy(loaded.vocabulary.numbers(["word3"])).long()
    embedding = loaded.model.leaves.embedding
    assert embedding(word).tolist() == [[3.5, -1.0, 2.0]]
    assert 0 < len(embedding.trained) < len(loaded.vocabulary)


# Files of others.


def test_saving_removes_checkpoints_and_nothing_else(place, model, tmp_path):
    """A backup, a link, a file, and a checkpoint with a file of another kind are all kept."""
    place.save(1, model, {}, best=True)
    checkpoints, outside = place.path / "checkpoints", tmp_path / "outside"
    shutil.copytree(checkpoints / "step-00000001", checkpoints / "my-backup")
    shutil.copytree(checkpoints / "step-00000001", outside)
    (checkpoints / "step-00000007").symlink_to(outside)
    (checkpoints / "step-00000008").write_text("a file")
    (checkpoints / "step-00000009").mkdir()
    (checkpoints / "step-00000009" / "notes.txt").write_text("mine")
    place.save(2, model, {}, best=True)
    kept = {"my-backup", "step-00000002", "step-00000007", "step-00000008", "step-00000009"}
    assert set(folders(place)) == kept
    assert len(list(outside.iterdir())) == len(list((checkpoints / "my-backup").iterdir())) == 2
    assert (checkpoints / "step-00000009" / "notes.txt").read_text() == "mine"


def test_what_killed_processes_left_is_removed_and_nothing_else(place, model, tmp_path):
    place.save(1, model, {}, best=True)
    checkpoints, outside = place.path / "checkpoints", tmp_path / "outside"
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()  # no other process gets its number so soon
    dead = files._owner().replace(str(os.getpid()), str(process.pid))
    for name in (
        "step-00000002",
        f".step-00000003{dead}-ab_d1x9z/new",
        f".step-00000004{dead}-x/new",
    ):
        shutil.copytree(checkpoints / "step-00000001", checkpoints / name)
    (checkpoints / f".step-00000004{dead}-x/notes.txt").touch()
    shutil.copytree(checkpoints / "step-00000001", outside)
    (checkpoints / f".step-00000006{dead}-x").mkdir()
    (checkpoints / f".step-00000006{dead}-x/new").symlink_to(outside)
    (checkpoints / ".step-backup").mkdir()
    (place.path / f"results.json{dead}.part").touch()
    place.remove_scratch()
    assert len(list(outside.iterdir())) == 2
    assert folders(place) == [f".step-00000004{dead}-x", ".step-backup", "step-00000001"]
    assert not list(place.path.glob("*.part"))


def test_a_checkpoint_replaced_while_it_is_read_is_read_anew(place, model, monkeypatch):
    change(model, 1.0)
    place.save(10, model, {}, best=True)
    read, reads = tensor_files.load_file, []

    def late(file: Path) -> Any:
        reads.append(file)
        if len(reads) < 3:  # training is faster than the reader, twice
            change(model, 10.0 * len(reads))
            place.save(10 + len(reads), model, {}, best=True)
        if len(reads) == 1:
            raise RuntimeError("unable to open file")  # removed while it is opened
        return read(file)

    monkeypatch.setattr(tensor_files, "load_file", late)
    loaded = load_trained(place.path).model
    assert next(loaded.parameters()).flatten()[0] == 20
    assert len(reads) == 3


def test_a_run_that_starts_again_keeps_files_of_others(toy_folder, place, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "events.out.tfevents.1").write_text("of another run")
    (place.path / "tensorboard").symlink_to(outside)
    (place.path / "checkpoints" / "notes").mkdir()
    configuration = small_configuration(toy_folder)
    corpus = load_corpus(configuration.data)
    RunDirectory.create(place.path, configuration, interface_of(corpus))
    assert (outside / "events.out.tfevents.1").is_file()
    assert folders(place) == ["notes"]


@pytest.mark.parametrize(
    "name", ["../../elsewhere", "/etc", "my-backup", "step-1", "", ".", None, ["step-00000001"]]
)
def test_names_that_are_not_those_of_checkpoints_are_refused(damaged, name):
    names = json.loads((damaged / "checkpoints.json").read_text())
    (damaged / "checkpoints.json").write_text(json.dumps(names | {"best": name}))
    before = sorted(damaged.rglob("*"))
    with pytest.raises(DataError, match="is not the name of a checkpoint"):
        load_trained(damaged)
    with pytest.raises(DataError, match="is not the name of a checkpoint"):
        run.resume(damaged)
    assert sorted(damaged.rglob("*")) == before


@pytest.mark.parametrize("whole", [True, False])
def test_checkpoints_behind_links_are_refused(damaged, tmp_path, whole):
    linked = damaged / "checkpoints"
    if not whole:
        linked /= json.loads((damaged / "checkpoints.json").read_text())["best"]
    linked.rename(tmp_path / "outside")
    linked.symlink_to(tmp_path / "outside")
    for act in (lambda: load_trained(damaged), lambda: run.resume(damaged)):
        with pytest.raises(DataError, match="it is a link"):
            act()


def edit_json(path: Path, change: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"words": ["<unk>", "<pad>", "a", "a"]}, "'words' has an item twice"),
        ({"words": ["<unk>", "<pad>", 3]}, "'words' has an item that is not text"),
        ({"labels": [1, 2, 3]}, "'labels' has an item that is not text"),
        ({"labels": ["a", "b", "b"]}, "'labels' has an item twice"),
        ({"labels": ["a"]}, "belong to another configuration"),
        ({"lower": "yes"}, "'lower' is not true or false"),
        ({"sides": 1}, "belong to another configuration"),
        ({"format": "none"}, "unknown format"),
    ],
)
def test_wrong_values_of_the_vocabulary_are_named(damaged, changes, message):
    edit_json(damaged / "vocabulary.json", lambda content: content | changes)
    with pytest.raises(DataError, match=message):
        load_trained(damaged)


@pytest.mark.parametrize("names", [{"best": None}, {"last": ["step-00000006"]}, [["best", "x"]]])
def test_names_that_are_no_text_are_refused(damaged, names):
    edit_json(damaged / "checkpoints.json", lambda _: names)
    with pytest.raises(DataError, match=r"checkpoints\.json"):
        load_trained(damaged)


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json", "checkpoints.json"])
def test_deep_brackets_are_refused(damaged, name):
    (damaged / name).write_text("[" * 99_999)
    with pytest.raises(DataError, match="it cannot be read"):
        load_trained(damaged)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_size", 60_000),
        ("hidden_size", 2**40),
        ("hidden_size", 2**62),
        ("classifier_layers", 2**62),
    ],
)
def test_a_model_too_large_for_memory_is_refused_before_it_is_built(damaged, name, value):
    edit_configuration(damaged, "model", **{name: value})
    with pytest.raises(DataError, match="belong to another configuration"):
        load_trained(damaged)
    with pytest.raises(DataError, match="belong to another configuration"):
        run.resume(damaged)


def test_a_configuration_that_is_wrong_is_named(damaged):
    edit_configuration(damaged, "model", hidden_size="many")
    with pytest.raises(SpinnError, match=r"config\.json: The option hidden_size is 'many'"):
        load_trained(damaged)


def test_weights_that_are_not_finite_are_refused(damaged):
    path = RunDirectory.open(damaged).checkpoint("last") / "weights.safetensors"
    tensors = weights.read_weights(path)
    tensors["classifier.layers.0.bias"][1] = float("nan")
    tensor_files.save_tensors(tensors, path)
    with pytest.raises(DataError, match=r"classifier\.layers\.0\.bias is not finite"):
        load_trained(damaged, "last")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trained_rows", torch.arange(17).flip(0)),
        ("trained_rows", torch.arange(17).float()),
        ("trained", torch.ones(17)),
        ("trained", torch.ones(16, 6)),
        ("fixed_vectors", torch.ones(17, 6)),
    ],
)
def test_word_vectors_that_do_not_belong_together_are_refused(damaged, name, value):
    path = RunDirectory.open(damaged).checkpoint("last") / "weights.safetensors"
    tensors = weights.read_weights(path)
    tensors[f"leaves.embedding.{name}"] = value
    tensor_files.save_tensors(tensors, path)
    with pytest.raises(DataError, match="word vectors"):
        load_trained(damaged, "last")


def test_one_bit_of_the_state_of_training_is_noticed(damaged):
    opened = RunDirectory.open(damaged)
    path = opened.checkpoint("last") / "training.pt"
    content = path.read_bytes()
    state = torch.load(path, weights_only=True)["optimizer"]["state"][0]["exp_avg_sq"]
    place = content.index(state.cpu().numpy().tobytes())
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with pytest.raises(DataError, match=r"training\.pt: it cannot be read \(the checksum"):
        opened.training_state()


def test_no_mutation_of_a_run_ends_in_a_traceback(damaged):
    dice, opened = random.Random(4), RunDirectory.open(damaged)
    checkpoint = opened.checkpoint("best")
    names = ("config.json", "vocabulary.json", "checkpoints.json", "metrics.jsonl")
    files = [damaged / name for name in names]
    files += [checkpoint / "weights.safetensors", checkpoint / "training.pt"]
    refused = 0
    for _ in range(300):
        path = dice.choice(files)
        content = path.read_bytes()
        mutate_file(path, dice)
        try:
            load_trained(damaged)
            opened.training_state()
            read_metrics(opened.metrics)
            drop_later_lines(opened.metrics, 3, evaluated=True)
        except SpinnError:
            refused += 1
        path.write_bytes(content)
    assert refused > 150
