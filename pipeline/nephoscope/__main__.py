"""`python -m nephoscope` is the command `nephoscope`."""

from nephoscope.cli.commands import main

if __name__ == "__main__":
    main()
