"""`python -m local`."""

from local.cli.app import main

if __name__ == "__main__":
    main()
