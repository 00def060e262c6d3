"""Logs of calls, whoever wrote them: readers of every format (`formats`), one form for all of them (`calls`, `log`)."""
