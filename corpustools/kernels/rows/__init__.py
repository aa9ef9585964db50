"""Rows of ids on their way into bytes: varints, decimal text, places in a dictionary, and what stands around them."""
