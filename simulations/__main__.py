"""`python -m simulations`: the simulations without the rest of the command line."""

from simulations.main import app

app()
