"""`python -m deploy.cli`: the `tierfold` command."""

from deploy.cli.main import main

if __name__ == "__main__":
    main()
