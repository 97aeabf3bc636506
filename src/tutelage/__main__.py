"""`python -m tutelage`, which is how torchrun starts it in several processes."""

from tutelage.cli import main

if __name__ == "__main__":
    main()
