"""Run the command line with ``python -m echoplane``."""

from echoplane.apps.cli.main import main

if __name__ == "__main__":
    main()
