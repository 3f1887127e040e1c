"""`python -m medflow`: the command."""

from medflow.cli import main

if __name__ == "__main__":
    main()
