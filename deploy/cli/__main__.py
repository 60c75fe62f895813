"""`python -m deploy.cli`: the `tierfold` command."""

from deploy.cli.main import main

main()
