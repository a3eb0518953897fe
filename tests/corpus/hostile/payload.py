"""Executes what it decodes (print(1)): no honest use known."""
exec(__import__("base64").b64decode("cHJpbnQoMSk="))
