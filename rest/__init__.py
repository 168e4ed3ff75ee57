"""The REST front end: one blueprint per contract over the ports of `facerec`. Holds no face code."""
