"""TOML files that people write, validated whole: every mistake with its line and what to write instead.

A pydantic model says what may stand in a file. `reading` gets a document, `lines` where its keys stand, `reference`
what can be said about each key, `explain` what is wrong with them, `problems` what is told of that.
"""
