"""facerec: finds which pictures show the same people."""

__version__ = "0.1.0"
