"""The HTTP interface: its answers equal those of the predictor, and its limits."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytest.importorskip("httpx", reason="FastAPI's test client requires httpx")

from fastapi.testclient import TestClient

from spinn.predictor import Predictor
from spinn.serve.app import create_app
from spinn.serve.schemas import MAX_BODY, MAX_CHARACTERS, MAX_EXAMPLES, MAX_WORDS

PAIR = ["word1 word2 zebra word3", "never word1"]
TREES = ["( word1 ( word2 ( zebra word3 ) ) )", "( never word1 )"]


@pytest.fixture(scope="module")
def client(models: dict[str, Any]) -> TestClient:
    return TestClient(create_app(models, ["127.0.0.1"]), base_url="http://127.0.0.1")


@pytest.fixture
def predictor(models: dict[str, Any]) -> Predictor:
    return Predictor(models["spinn"]._trained)


def trace(client: TestClient, **request: Any) -> dict[str, Any]:
    response = client.post("/api/trace", json=request)
    assert response.status_code == 200, response.text
    return response.json()


def refusal(client: TestClient, path: str, **request: Any) -> str:
    response = client.post(path, json=request)
    assert response.status_code == 422
    assert list(response.json()) == ["detail"]
    return response.json()["detail"]


# Answers.


def test_models_are_described(client):
    described = {one["name"]: one for one in client.get("/api/models").json()["models"]}
    assert list(described) == ["spinn", "other", "given", "lstm", "expressions"]
    spinn, given, lstm = (described[name] for name in ("spinn", "given", "lstm"))
    assert (spinn["form"], spinn["source"], spinn["parsed_text"]) == ("SPINN", "predicted", False)
    assert spinn["trees"] == ["own", "left", "right", "balanced", "given"]
    assert (given["source"], given["parsed_text"]) == ("gold", True)
    assert (lstm["source"], lstm["trees"]) == (None, ["own"])
    assert described["expressions"]["roles"] == ["sentence"]


def test_predictions_are_those_of_the_predictor(client, predictor):
    examples = [PAIR, ["word4", "surely word5"], TREES]
    response = client.post("/api/predict", json={"examples": examples})
    assert response.status_code == 200
    expected = [one.as_dict() for one in predictor.predict(list(map(tuple, examples)))]
    found = response.json()["predictions"]
    assert [one.keys() for one in found] == [one.keys() for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)
        assert one["premise"] == other["premise"]
        assert one["unknown"] == other["unknown"]


def test_a_trace_is_that_of_the_predictor(client, predictor):
    found = trace(client, sentences=PAIR)
    prediction = predictor.predict(tuple(PAIR))
    assert found["model"] == "spinn"
    assert found["predicted"] == prediction.label
    assert found["probabilities"] == pytest.approx(prediction.probabilities)
    assert found["unknown"] == ["zebra"]
    assert prediction.traces is not None
    for record, expected in zip(found["sentences"], prediction.traces, strict=True):
        steps = json.loads(json.dumps(expected.as_dict()["steps"]))
        assert record["words"] == expected.tree.words
        assert record["steps"] == [
            {**step, "probabilities": pytest.approx(step["probabilities"])} for step in steps
        ]
        assert record["brackets"] == expected.tree.brackets
        assert record["svg"] == expected.tree.to_svg()


@pytest.mark.parametrize(
    ("trees", "expected"),
    [
        ("left", "( ( ( word1 word2 ) zebra ) word3 )"),
        ("right", TREES[0]),
        ("balanced", "( ( word1 word2 ) ( zebra word3 ) )"),
    ],
)
def test_other_trees_can_be_chosen(client, trees, expected):
    found = trace(client, sentences=PAIR, trees=trees)
    assert found["sentences"][0]["brackets"] == expected
    assert found["sentences"][0]["steps"][0]["probabilities"] == {"shift": 1.0, "reduce": 0.0}


def test_given_trees_are_followed(client):
    found = trace(client, sentences=TREES, trees="given")
    assert [one["brackets"] for one in found["sentences"]] == TREES
    message = refusal(client, "/api/trace", sentences=PAIR, trees="given")
    assert message.startswith("The premise has no tree. Write it in brackets")


def test_what_scores_no_moves_has_no_probabilities(client):
    found = trace(client, model="given", sentences=TREES)
    assert {step["probabilities"] for step in found["sentences"][0]["steps"]} == {None}


def test_an_encoder_without_trees_has_no_steps(client):
    found = trace(client, model="lstm", sentences=PAIR)
    assert found["sentences"][0]["words"] == PAIR[0].split()
    assert found["sentences"][0]["steps"] is found["sentences"][0]["brackets"] is None
    message = refusal(client, "/api/trace", model="lstm", sentences=PAIR, trees="left")
    assert message == 'lstm (LSTM) follows no other trees than its own; choose "own".'


def test_a_model_of_single_sentences_takes_one(client):
    found = trace(client, model="expressions", sentences=["[MAX 2 9 ]"])
    assert [one["role"] for one in found["sentences"]] == ["sentence"]
    message = refusal(client, "/api/trace", model="expressions", sentences=PAIR)
    assert message == "Give 1 sentence, not 2."


def test_calls_at_the_same_time_are_answered_alike(client):
    def ask(number: int) -> Any:
        return trace(client, sentences=PAIR, trees=("own", "left", "right")[number % 3])

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(12)))
    assert answers[:3] * 4 == answers


# Limits and errors.


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"sentences": ["word1"]}, "Give 2 sentences (premise, hypothesis), not 1."),
        ({"sentences": ["", "word1"]}, "A sentence is empty. Give it some words."),
        ({"sentences": ["( a b c )", "d"]}, "A node has 3 children where a binary tree has 2."),
        ({"sentences": PAIR, "model": "none"}, "There is no model called 'none'; choose from "),
        ({"sentences": PAIR, "trees": "oak"}, "trees: Input should be 'own', 'left',"),
        ({"sentences": "word1"}, "sentences: Input should be a valid list."),
        ({"sentences": ["a" * (MAX_CHARACTERS + 1), "b"]}, "sentences.0: String should have at "),
        ({}, "sentences: Field required."),
        (
            {"sentences": ["a", "b " * (MAX_WORDS + 1)]},
            "The hypothesis has 201 words where at most 200 are read. Shorten it.",
        ),
    ],
)
def test_what_cannot_be_used_gets_one_sentence(client, request_, message):
    assert refusal(client, "/api/trace", **request_).startswith(message)


def test_the_longest_sentence_is_read(client):
    found = trace(client, sentences=["word1 " * MAX_WORDS, "word2"])
    assert len(found["sentences"][0]["steps"]) == 2 * MAX_WORDS - 1


def test_examples_are_limited_and_named(client):
    message = refusal(client, "/api/predict", examples=[PAIR] * (MAX_EXAMPLES + 1))
    assert message.startswith("examples: List should have at most 64 items")
    assert refusal(client, "/api/predict", examples=[]).startswith("examples: List should have")
    message = refusal(client, "/api/predict", examples=[PAIR], tree="left")
    assert message.startswith("tree: Extra inputs are not permitted")
    message = refusal(client, "/api/predict", examples=[PAIR, ["word1", ""]])
    assert message == "Example 2: A sentence is empty. Give it some words."


BODIES = [b"", b"{", b"[]", b'{"sentences": ["\\ud800", "b"]}', b'{"sentences": ["\xff", ""]}']


@pytest.mark.parametrize("content", BODIES)
def test_a_body_that_is_no_request_is_refused(client, content):
    response = client.post(
        "/api/trace", content=content, headers={"Content-Type": "application/json"}
    )
    assert response.status_code in (400, 422)
    assert isinstance(response.json()["detail"], str)


def test_a_body_that_is_not_json_is_called_so(client):
    response = client.post("/api/trace", content=b"{", headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()) == (422, {"detail": "The body is not JSON."})


def test_large_bodies_are_refused_before_they_are_read(client):
    read = 0

    def chunks() -> Any:
        nonlocal read
        for _ in range(100):
            read += 1
            yield b" " * 100_000

    for content in (b" " * (MAX_BODY + 1), chunks()):
        response = client.post("/api/trace", content=content)
        assert response.status_code == 413
        assert response.json() == {
            "detail": "The request has more than 1,000,000 bytes. Send less."
        }


def test_other_names_of_the_host_are_refused(client):
    for host, status in (("127.0.0.1:8000", 200), ("evil.example", 400), ("evil.example:80", 400)):
        assert client.get("/api/models", headers={"Host": host}).status_code == status


# The page.


def test_the_files_of_the_page_are_served_with_a_policy(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    for name in ("page.css", "page.js", "stage.js", "icon.svg"):
        response = client.get(f"/{name}")
        assert response.status_code == 200
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["x-content-type-options"] == "nosniff"
    assert client.get("/page.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/app.py").status_code == 404


def test_nothing_is_loaded_from_elsewhere_and_no_text_is_markup():
    from spinn.serve.app import _PAGE

    for file in _PAGE.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        for forbidden in ("http:", "https:", "innerHTML", "insertAdjacent", " style=", " onclick="):
            assert forbidden not in text, file
        assert text.count("\n") <= 400


def test_the_interface_is_documented(client):
    schema = client.get("/openapi.json").json()
    assert {"/api/models", "/api/predict", "/api/trace"} == set(schema["paths"])
    assert "Problem" in schema["components"]["schemas"]
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404
