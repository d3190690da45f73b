"""facekit's training package: data, recipes, loop, evaluation. Start at `python -m training --help`."""
