"""Programs that tests fork: what a fork brings along, and what it has of its own."""

import json
import signal

from tests import forked

LOOK = "import json, os, sys; print(json.dumps([os.getcwd(), dict(os.environ), sorted(sys.modules)]))"
ONCE = ("-n", "1", "-r", "1")
"""Of `timeit`, a program that runs what it is given."""


def test_a_forked_program_has_a_folder_and_an_environment_of_its_own_and_its_imports_already(tmp_path):
    ended = forked.run("timeit", *ONCE, LOOK, environment={"ONLY": "this"}, folder=tmp_path)
    folder, environment, modules = json.loads(ended.stdout.splitlines()[0])
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (folder, environment) == (str(tmp_path), {"ONLY": "this"})
    assert set(forked.IMPORTED) <= set(modules)


def test_a_forked_program_ends_with_its_exit_code_and_with_what_it_registered_for_its_end():
    registered = "import atexit, sys; atexit.register(sys.stdout.write, 'over')"
    assert forked.run("timeit", *ONCE, "-s", registered, "pass").stdout.endswith("over")
    assert forked.run("timeit", "--nonsense").returncode == 2


def test_a_forked_program_that_is_killed_ends_with_the_signal():
    with forked.running("timeit", *ONCE, "import time; time.sleep(600)") as program:
        program.process.kill()
        assert program.process.wait(20.0) == -signal.SIGKILL
