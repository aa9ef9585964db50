"""`python -m corpustools` is `corpus`."""

from corpustools.cli.main import main

if __name__ == "__main__":
    main()
