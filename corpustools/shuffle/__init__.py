"""The library behind `corpus shuffle`."""
