"""python -m infra.cli"""

from infra.cli import app

app()
