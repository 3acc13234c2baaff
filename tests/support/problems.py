"""Problem documents of the REST API."""

import httpx

from shared.contracts.problems import Problem

PAGE = {"Origin": "http://elsewhere.example"}


def assert_problem(answer: httpx.Response, status: int) -> Problem:
    """Every error has the form of a problem, whichever part answers."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    problem = Problem.model_validate_json(answer.text)
    assert problem.model_dump() == answer.json(), "no other members"
    assert problem.status == status
    return problem
