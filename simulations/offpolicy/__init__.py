"""What given policies are worth on logged traffic: off-policy evaluation from logged propensities.

A log is collapsed to sums once (`collapse`, `sums`); from these everything follows: values (`estimators`), intervals,
the gate that refuses (`gate`), and the document (`document`) that reports draw.
"""
