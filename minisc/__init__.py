"""minisc: a small StarCoder2-style language model for Python code, from scratch, in the open."""
