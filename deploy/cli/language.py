"""In which language does a command tell people?"""

from typing import Annotated

import typer

from deploy.reports.saying import Language

In = Annotated[Language, typer.Option("--language", help="In which language it is told.")]
