"""`python -m trainer`."""

from trainer.cli import main

# worker processes import this module again under another name
if __name__ == "__main__":
    main()
