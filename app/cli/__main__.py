"""The operators' commands: `python -m app.cli --help`."""

import click

from app.cli.audit import audit
from app.cli.keys import keys


@click.group()
def main() -> None:
    """Operate Warren. `dead_letters` and `example_data` are modules of their own."""


main.add_command(keys)
main.add_command(audit)

if __name__ == "__main__":
    main(prog_name="python -m app.cli")
