"""Generate `routeward/v1` from the contract: `python proto/generate.py [FOLDER]`, default: this checkout."""

import sys
from importlib.resources import files
from pathlib import Path
from sysconfig import get_path

from grpc_tools import protoc

PROTO = Path(__file__).resolve().parent


def generate(folder: Path) -> None:
    """Write messages, services and their types below `folder`; end with protoc's status if it refuses."""
    scripts = get_path("scripts")
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={PROTO}",
            f"--proto_path={files('grpc_tools') / '_proto'}",
            *(f"--plugin=protoc-gen-{name}={scripts}/protoc-gen-{name}" for name in ("mypy", "mypy_grpc")),
            *(f"--{name}_out={folder}" for name in ("python", "grpc_python")),
            *(f"--{name}_out=quiet:{folder}" for name in ("mypy", "mypy_grpc")),
            *(str(path.relative_to(PROTO)) for path in sorted(PROTO.rglob("*.proto"))),
        ]
    )
    if status:
        sys.exit(status)


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else PROTO.parent)
