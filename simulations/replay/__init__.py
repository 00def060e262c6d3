"""Replay of a log: what a learning policy would have done with the requests that a log holds.

    Log -> Traffic -> Stage (tapes, lessons, requests, worth) -> Course of a seed -> Played -> Shown -> bands

`traffic` holds a log in columns, `tapes` what each model answered in each category and time, `course` one run of
requests past them, `engine` the service's own core on it, `unlearning` what it is compared with, `worth` what that
brought, `bands` what many runs show.
"""
