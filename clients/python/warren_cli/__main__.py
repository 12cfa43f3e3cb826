"""The command line: `python -m warren_cli --help`, the same as `warren --help`."""

from warren_cli import main

if __name__ == "__main__":
    main()
