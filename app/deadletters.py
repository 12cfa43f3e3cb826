"""`python -m app.deadletters`, the old name of `python -m app.cli.dead_letters`."""

from app.cli.dead_letters import main

if __name__ == "__main__":
    main()
