"""The contract in `proto/`: its style, its generated code, and what it says about errors."""

import filecmp
import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from google.protobuf.descriptor import ServiceDescriptor

from routeward.v1 import admin_service_pb2, error_reason_pb2, routing_service_pb2

ROOT = Path(__file__).parents[1]
PREFIX = "ERROR_REASON_"
SERVICES = [
    service
    for file in (admin_service_pb2.DESCRIPTOR, routing_service_pb2.DESCRIPTOR)
    for service in file.services_by_name.values()
]


@pytest.fixture(scope="module")
def reasons() -> dict[str, str]:
    """The comment above each value of ErrorReason."""
    text = (ROOT / "proto/routeward/v1/error_reason.proto").read_text(encoding="utf-8")
    found = re.findall(rf"((?: *//.*\n)+) *{PREFIX}(\w+) = \d+;", text)
    return {name: re.sub(r"^ *// ?", "", comment, flags=re.MULTILINE) for comment, name in found}


def run(*command: str) -> str:
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout + finished.stderr


def test_the_contract_keeps_its_style_and_documents_every_element() -> None:
    run(f"{sysconfig.get_path('scripts')}/buf", "lint", "proto")


def test_the_committed_code_is_what_the_contract_generates(tmp_path: Path) -> None:
    run(sys.executable, "proto/generate.py", str(tmp_path))
    generated, committed = tmp_path / "routeward/v1", ROOT / "routeward/v1"
    names = {path.name for path in committed.iterdir()} - {"__init__.py", "__pycache__"}
    assert names == {path.name for path in generated.iterdir()}
    _, differing, unreadable = filecmp.cmpfiles(generated, committed, names, shallow=False)
    assert not differing + unreadable


def test_the_generated_code_imports_without_a_warning() -> None:
    names = sorted(path.stem for path in (ROOT / "routeward/v1").glob("*_pb2*.py"))
    assert run(sys.executable, "-W", "error", "-c", f"from routeward.v1 import {', '.join(names)}") == ""


def test_the_hot_path_has_its_three_calls() -> None:
    service = routing_service_pb2.DESCRIPTOR.services_by_name["RoutingService"]
    assert [method.name for method in service.methods] == ["Route", "Feedback", "FeedbackBatch"]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_call_has_a_request_and_a_response_of_its_own(service: ServiceDescriptor) -> None:
    for method in service.methods:
        assert method.input_type.name == f"{method.name}Request"
        assert method.output_type.name == f"{method.name}Response"


def test_every_error_reason_is_documented(reasons: dict[str, str]) -> None:
    assert [PREFIX + name for name in reasons] == error_reason_pb2.ErrorReason.keys()


def test_every_error_reason_shows_a_valid_example(reasons: dict[str, str]) -> None:
    for name, comment in reasons.items():
        if name == "UNSPECIFIED":
            continue
        [line] = re.findall(r"^ {4}(\{.*\})$", comment, re.MULTILINE)
        example = json.loads(line)
        assert (example["reason"], example["domain"]) == (name, "routeward.dev")
        assert all(isinstance(value, str) for value in example["metadata"].values()), line


def test_every_error_reason_names_the_status_it_comes_with(reasons: dict[str, str]) -> None:
    statuses = {
        *("INVALID_ARGUMENT", "UNAUTHENTICATED", "PERMISSION_DENIED", "NOT_FOUND", "FAILED_PRECONDITION"),
        *("RESOURCE_EXHAUSTED", "UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL"),
    }
    without = {name for name, comment in reasons.items() if comment.partition(":")[0] not in statuses}
    assert without == {"UNSPECIFIED"}
