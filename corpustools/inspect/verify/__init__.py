"""`corpus verify`: what was written against what went in."""
