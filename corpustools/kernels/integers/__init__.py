"""Integers n = a b + c."""
