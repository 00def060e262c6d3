"""The charts, as plotly's own JSON; none of them needs plotly to be made."""
