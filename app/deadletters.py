"""`python -m app.deadletters`, the old name of `python -m app.cli.dead_letters`."""

import click

from app.cli.dead_letters import main

if __name__ == "__main__":
    click.echo("app.deadletters is now app.cli.dead_letters; the old name will go", err=True)
    main()
