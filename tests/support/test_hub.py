"""Names on the Hugging Face Hub, and the errors of its package as sentences."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from spinn.support import hub
from spinn.support.errors import ConfigurationError, SpinnError


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("user/some-model_1.0", True),
        ("user", False),
        ("user/name/more", False),
        ("/user/name", False),
        ("../name", False),
        ("./name", False),
        ("user/na me", False),
        ("user/näme", False),
        ("tests/name", False),  # in an existing folder
    ],
)
def test_names_of_repositories_are_not_paths(name, found, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    assert hub.is_repository(Path(name)) is found


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    message = (
        "user/name: there is no such folder here; loading it from the Hugging Face Hub requires "
        "huggingface_hub, which is not installed. Run `pip install huggingface_hub`, or install "
        "this package with its extra [hub]."
    )
    with pytest.raises(ConfigurationError) as caught:
        hub.download("user/name", ["a"], [])
    assert str(caught.value) == message
    with pytest.raises(ConfigurationError, match=r"Uploading a model .* requires huggingface_hub"):
        hub.upload(Path("folder"), "user/name")


CASES = {
    "RevisionNotFoundError": r"user/name: it has no revision 'v1'\.$",
    "GatedRepoError": "access to it is restricted",
    "RepositoryNotFoundError": r"no such folder here, and no such model .* hf auth login\.$",
    "LocalEntryNotFoundError": "the Hugging Face Hub cannot be reached",
    "HfHubHTTPError": r"it cannot be downloaded \(500 Server Error\)\.$",
    "HFValidationError": r"it cannot be downloaded \(500 Server Error\)\.$",
}


@pytest.mark.parametrize("name", CASES)
def test_errors_of_the_package_become_sentences(name, monkeypatch):
    package = pytest.importorskip("huggingface_hub")
    kind = getattr(import_module("huggingface_hub.errors"), name)

    def fail(*arguments: Any, **options: Any) -> None:
        error = kind.__new__(kind)
        error.args = ("500 Server Error",)
        raise error

    monkeypatch.setattr(package, "snapshot_download", fail)
    monkeypatch.setattr(kind, "__str__", lambda error: error.args[0])
    with pytest.raises(SpinnError, match=CASES[name]):
        hub.download("user/name", ["config.json"], [], "v1")
    monkeypatch.setattr(package.HfApi, "create_repo", fail)
    with pytest.raises(SpinnError, match=r"it cannot be uploaded \(500 Server Error\)"):
        hub.upload(Path("folder"), "user/name")


def test_a_repository_without_a_file_is_no_model(tmp_path, monkeypatch):
    package = pytest.importorskip("huggingface_hub")
    (tmp_path / "config.json").touch()
    monkeypatch.setattr(package, "snapshot_download", lambda *_, **__: str(tmp_path))
    with pytest.raises(SpinnError, match=r"user/name: it has no b\.json, so it is no model"):
        hub.download("user/name", ["config.json", "b.json"], [])
    assert hub.download("user/name", ["config.json"], ["b.json"]) == tmp_path
