"""The ports over dictionaries: they ship with the package and pass the same contract tests as the real adapters."""
