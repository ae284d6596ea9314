"""`python -m deploy.cli` is `mgeo`."""

from deploy.cli import main

if __name__ == "__main__":
    main()
